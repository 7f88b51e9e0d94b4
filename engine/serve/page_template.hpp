// The page of web/, embedded at build time.
#pragma once

#include <string_view>

namespace hartline::serve {

std::string_view page_template();

}  // namespace hartline::serve
