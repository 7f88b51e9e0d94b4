#include "equations/kernel.hpp"
#include <gtest/gtest.h>
