// What an experimenter should know of a belief.
#pragma once

#include <string>

namespace hartline::models {

struct Notice {
  bool warning = false;
  std::string kind, text;
};

}  // namespace hartline::models
