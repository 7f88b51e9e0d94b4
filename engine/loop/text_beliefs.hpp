// Beliefs about the parameters of a model that is written as text: the `belief` table, and what it makes.
#pragma once

#include <string>

namespace hartline {
class Executor;
}

namespace hartline::loop {

struct Experiment;

/// Sets the experiment's model from its tables; the belief's defaults are written out in them. `folder`: that relative paths are
/// taken from. Throws: SpecError, IoError.
void build_on_text(Experiment& e, const std::string& folder, Executor& executor, bool may_have_tables = true);

}  // namespace hartline::loop
