#include <sigpp/statistics.hpp>

#include <algorithm>

#include "errors.hpp"
#include "process.hpp"
#include "storm.hpp"

namespace sigpp::inline v1 {

namespace {

signal_statistics read(int signum) noexcept {
  const in_handler::process_state* const state = detail::process();
  if (state == nullptr) return {};
  const auto& counts = state->counts[static_cast<std::size_t>(signum)];
  return {.received = counts.received.load(),
          .handled = counts.handled.load(),
          .merged = counts.merged.load(),
          .discarded = counts.discarded.load(),
          .reraised = counts.reraised.load(),
          .refused = counts.refused.load(),
          .dropped = counts.dropped.load(),
          .held_back = counts.held_back.load(),
          .taken_elsewhere = counts.taken_elsewhere.load(),
          .high_water = counts.high_water.load()};
}

}  // namespace

signal_statistics statistics(int signum) {
  require_range(signum, "statistics");
  detail::storm::end();
  return read(signum);
}

signal_statistics statistics() noexcept {
  detail::storm::end();
  signal_statistics sum{};
  for (int n = 1; n < static_cast<int>(in_handler::mailbox::signals); ++n) {
    const signal_statistics one = read(n);
    sum.received += one.received;
    sum.handled += one.handled;
    sum.merged += one.merged;
    sum.discarded += one.discarded;
    sum.reraised += one.reraised;
    sum.refused += one.refused;
    sum.dropped += one.dropped;
    sum.held_back += one.held_back;
    sum.taken_elsewhere += one.taken_elsewhere;
    sum.high_water = std::max(sum.high_water, one.high_water);
  }
  return sum;
}

}  // namespace sigpp::inline v1
