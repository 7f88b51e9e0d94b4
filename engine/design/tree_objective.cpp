#include "design/tree_objective.hpp"

#include <algorithm>
#include <cmath>

#include "base/threads.hpp"
#include "models/text_likelihood.hpp"

namespace hartline::design {

TreeObjective::TreeObjective(const SampleObjective& objective, std::size_t dim, std::size_t num_futures, Executor& executor)
    : objective_(objective),
      futures_(objective.likelihood().text().laws[0]),
      dim_(dim),
      num_futures_(std::max(num_futures, objective.likelihood().text().laws[0].num)),  // choices are all of them
      executor_(executor) {}

void TreeObjective::begin(State& s, const SampleObjective::Prepared& belief, std::size_t num_samples) const {
  objective_.thin(belief, num_samples, s.samples);
  s.thinned = s.samples.num < belief.num;
  // room for all that may come, so that later choices need none
  const std::size_t num_roots = belief.weights.size(), most = num_roots * num_futures_;
  const auto make_room = [&](std::vector<std::vector<double>>& rows, std::size_t num_rows) {
    if (rows.size() < num_rows) rows.resize(num_rows);
    for (std::vector<double>& row : rows) row.reserve(num_samples + num_samples / 2 + 2);
  };
  make_room(s.branches, most);
  make_room(s.likelihood, num_futures_);
  make_room(s.by_weight, num_roots + most);
  make_room(s.c, most);
}

void TreeObjective::place(State& s, Tree& tree) const {
  const models::TextLikelihood& likelihood = objective_.likelihood();
  const std::size_t num = s.samples.num, num_roots = s.samples.weights.size(), had = tree.futures.value.size();
  const std::size_t num_before = had * num_roots;
  s.arguments.resize(likelihood.num_arguments() * (1 + dim_) * num);
  likelihood.arguments(tree.x, {s.samples.parts[0].parameters.data(), num, num}, s.arguments.data(), num);
  s.p.assign(tree.futures.value.begin(), tree.futures.value.end());
  // the same for every root: they are placed by what is expected of all
  s.utility.assign(num, 0.0);
  for (std::size_t r = 0; r < num_roots; ++r)
    for (std::size_t n = 0; n < num; ++n) s.utility[n] += s.samples.weights[r][n] / static_cast<double>(num_roots);
  futures_.place(s.utility, s.arguments.data(), num, num_futures_, tree.futures);
  const std::size_t has = tree.futures.value.size(), num_branches = has * num_roots;
  if (num_before > 0 && tree.next.size() == num_before * dim_) {
    s.slopes = tree.next;
    tree.next.resize(num_branches * dim_);
    for (std::size_t f = 0; f < has; ++f) {
      std::size_t nearest = 0;
      for (std::size_t k = 1; k < had; ++k)
        if (std::abs(s.p[k] - tree.futures.value[f]) < std::abs(s.p[nearest] - tree.futures.value[f])) nearest = k;
      for (std::size_t r = 0; r < num_roots; ++r)
        std::copy_n(s.slopes.begin() + static_cast<std::ptrdiff_t>((r * had + nearest) * dim_), dim_,
                    tree.next.begin() + static_cast<std::ptrdiff_t>((r * has + f) * dim_));
    }
  } else {
    tree.next.resize(num_branches * dim_);
    for (std::size_t b = 0; b < num_branches; ++b)
      std::copy(tree.x.begin(), tree.x.end(), tree.next.begin() + static_cast<std::ptrdiff_t>(b * dim_));
  }
  tree.share.resize(num_branches);
  tree.utility.resize(num_branches);
  tree.next_gradient.resize(num_branches * dim_);
  tree.gradient.resize(dim_);
}

/// Weights of the samples in every branch, and its share, not normalised. s.arguments are those of tree.x.
void TreeObjective::branch(State& s, Tree& tree) const {
  const std::size_t num = s.samples.num, num_futures = tree.futures.value.size(), num_roots = s.samples.weights.size();
  s.p.resize(tree.num_branches());
  executor_.for_each_block(static_cast<int>(num_futures), [&](int block) {
    const auto f = static_cast<std::size_t>(block);
    std::vector<double>& likelihood = s.likelihood[f];
    likelihood.resize(num);
    futures_.likelihood(tree.futures.value[f], s.arguments.data(), num, likelihood);
    for (std::size_t r = 0; r < num_roots; ++r) {
      const std::size_t b = r * num_futures + f;
      const std::vector<double>& before = s.samples.weights[r];
      std::vector<double>& after = s.branches[b];
      after.resize(num);
      double p = 0;
      for (std::size_t n = 0; n < num; ++n) p += after[n] = before[n] * likelihood[n];
      const double inverse = p > 0 ? 1 / p : 0;
      for (double& w : after) w *= inverse;
      if (!(p > 0)) after = before;  // a branch that is not taken
      s.p[b] = tree.futures.weight[f] * p;
    }
  });
  double total = 0;
  for (const double p : s.p) total += p;
  for (std::size_t b = 0; b < tree.num_branches(); ++b) tree.share[b] = s.p[b] / total;
}

bool TreeObjective::choose_next(State& s, Tree& tree, std::span<const double> places, bool keep, const Budget& budget) const {
  const std::size_t num = s.samples.num, num_places = places.size() / dim_, num_branches = tree.num_branches();
  const std::vector<std::vector<double>>& roots = s.samples.weights;
  const std::size_t num_roots = roots.size();
  objective_.likelihood().arguments(tree.x, {s.samples.parts[0].parameters.data(), num, num}, s.arguments.data(), num);
  branch(s, tree);
  // after the last place comes the stimulus itself, under the roots
  s.utility.resize(num_roots + num_places * num_branches);
  while (s.index.size() < std::max(num_roots, num_branches)) s.index.push_back(s.index.size());
  const std::span<const std::size_t> index(s.index);
  const std::size_t at_once = std::max<std::size_t>(8, 256 / num_branches);
  for (std::size_t first = 0; first <= num_places; first += at_once) {
    if (budget.clock && budget.clock->now_ns() >= budget.deadline_ns) return false;
    executor_.for_each_block(static_cast<int>(std::min(at_once, num_places + 1 - first)), [&](int block) {
      const std::size_t k = first + static_cast<std::size_t>(block);
      s.slots.with([&](SampleObjective::Scratch& scratch) {
        if (k == num_places)
          objective_.each(s.samples, roots, index, tree.x, scratch, {s.utility.data(), num_roots});
        else
          objective_.each(s.samples, s.branches, index, places.subspan(k * dim_, dim_), scratch,
                          {&s.utility[num_roots + k * num_branches], num_branches});
      });
    });
  }
  tree.now = 0;
  for (std::size_t r = 0; r < num_roots; ++r) tree.now += s.utility[r] / static_cast<double>(num_roots);
  tree.total = tree.now;
  for (std::size_t b = 0; b < num_branches; ++b) {
    std::size_t best = 0;
    const auto utility = [&](std::size_t k) { return s.utility[num_roots + k * num_branches + b]; };
    for (std::size_t k = 1; k < num_places; ++k)
      if (utility(k) > utility(best)) best = k;
    if (!keep || utility(best) > tree.utility[b]) {
      tree.utility[b] = utility(best);
      std::copy_n(places.begin() + static_cast<std::ptrdiff_t>(best * dim_), dim_,
                  tree.next.begin() + static_cast<std::ptrdiff_t>(b * dim_));
    }
    tree.total += tree.share[b] * tree.utility[b];
  }
  tree.by_sample.clear();
  return true;
}

void TreeObjective::evaluate(State& s, Tree& tree) const {
  const models::TextLikelihood& likelihood = objective_.likelihood();
  const std::vector<std::vector<double>>& roots = s.samples.weights;
  const std::size_t num = s.samples.num, first = roots.size(), num_branches = tree.num_branches();
  const std::size_t num_futures = tree.futures.value.size();
  s.arguments.resize(likelihood.num_arguments() * (1 + dim_) * num);
  likelihood.argument_gradient(tree.x, {s.samples.parts[0].parameters.data(), num, num}, s.arguments.data(), num);
  branch(s, tree);
  s.utility.resize(first);
  s.slopes.assign((first + 2 * num_branches) * dim_, 0.0);  // of the roots' utilities; of each branch ω ∂(p U) and ω ∂p
  const double* argument_slopes = s.arguments.data() + likelihood.num_arguments() * num;
  executor_.for_each_block(static_cast<int>(first + num_branches), [&](int block) {
    const auto k = static_cast<std::size_t>(block);
    s.by_weight[k].resize(num);
    s.slots.with([&](SampleObjective::Scratch& scratch) {
      if (k < first) {
        s.utility[k] = objective_.under(s.samples, roots[k], tree.x, scratch, {&s.slopes[k * dim_], dim_}, s.by_weight[k]);
        return;
      }
      const std::size_t b = k - first, f = b % num_futures;
      tree.utility[b] = objective_.under(s.samples, s.branches[b], {&tree.next[b * dim_], dim_}, scratch,
                                         {&tree.next_gradient[b * dim_], dim_}, s.by_weight[k]);
      const std::vector<double>& w = roots[b / num_futures];
      const double y = tree.futures.value[f], omega = tree.futures.weight[f];
      std::vector<double>& c = s.c[b];
      c.resize(num);
      double* slopes = &s.slopes[(first + 2 * b) * dim_];
      for (std::size_t n = 0; n < num; ++n) c[n] = omega * w[n] * s.by_weight[k][n];
      futures_.add_gradient(y, s.arguments.data(), argument_slopes, num, s.likelihood[f], c, {slopes, dim_});
      for (std::size_t n = 0; n < num; ++n) c[n] = omega * w[n];
      futures_.add_gradient(y, s.arguments.data(), argument_slopes, num, s.likelihood[f], c, {slopes + dim_, dim_});
    });
  });
  const double share_of_root = 1 / static_cast<double>(first);
  tree.now = 0;
  std::fill(tree.gradient.begin(), tree.gradient.end(), 0.0);
  for (std::size_t r = 0; r < first; ++r) {
    tree.now += share_of_root * s.utility[r];
    for (std::size_t j = 0; j < dim_; ++j) tree.gradient[j] += share_of_root * s.slopes[r * dim_ + j];
  }
  double all = 0, after = 0;
  for (std::size_t b = 0; b < num_branches; ++b) {
    all += s.p[b];
    after += tree.share[b] * tree.utility[b];
  }
  tree.total = tree.now + after;
  for (std::size_t b = 0; b < num_branches; ++b)
    for (std::size_t j = 0; j < dim_; ++j) {
      const double* slopes = &s.slopes[(first + 2 * b) * dim_];
      tree.gradient[j] += (slopes[j] - after * slopes[dim_ + j]) / all;
    }
  tree.by_sample.assign(num, 0.0);
  for (std::size_t r = 0; r < first; ++r) {
    const std::vector<double>& w = roots[r];
    for (std::size_t n = 0; n < num; ++n) tree.by_sample[n] += share_of_root * w[n] * s.by_weight[r][n];
    for (std::size_t f = 0; f < num_futures; ++f) {
      const double omega = tree.futures.weight[f] / all;
      const std::vector<double>&likelihood_f = s.likelihood[f], &by_weight = s.by_weight[first + r * num_futures + f];
      for (std::size_t n = 0; n < num; ++n) tree.by_sample[n] += omega * w[n] * likelihood_f[n] * (by_weight[n] - after);
    }
  }
}

double TreeObjective::error_of(const State& s, const Tree& a, const Tree& b) const {
  if (!s.thinned || &a == &b) return 0;
  double sum = 0, square = 0;
  for (std::size_t n = 0; n < s.samples.num; ++n) sum += a.by_sample[n] - b.by_sample[n];
  for (std::size_t n = 0; n < s.samples.num; ++n) {
    double w = 0;
    for (const std::vector<double>& weights : s.samples.weights) w += weights[n] / static_cast<double>(s.samples.weights.size());
    const double off = a.by_sample[n] - b.by_sample[n] - w * sum;
    square += off * off;
  }
  return std::sqrt(square);
}

}  // namespace hartline::design
