// The loop around every blocking call.
#pragma once

#include <cerrno>

#include <sigpp/check.hpp>

#include "blocking/calls.hpp"
#include "process.hpp"
#include "safe_point.hpp"

namespace sigpp::inline v1::blocking {

/// Makes the call, handlers before it and whenever it is interrupted, until it has a result: that,
/// or -errno, never -EINTR. Throws what they throw. Where nothing may run, or nothing can,
/// attention does not interrupt.
template <class Call>
long until_done(Call call) {
  for (int round = 0;; ++round) {
    check();
    const bool raised = detail::attention.load(std::memory_order_relaxed) != 0;
    const bool deaf = raised && detail::is_deferred();
    // What comes faster than it is handled must not keep the call from being made at all.
    const bool lowered = raised && !deaf && round > 0;
    if (lowered) detail::attend_later();
    const long result = call(deaf ? never : detail::attention);
    if (lowered) detail::attention.store(1);
    if (result != -EINTR) return result;
  }
}

}  // namespace sigpp::inline v1::blocking
