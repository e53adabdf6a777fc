// One rule for every duration that a user gives: rounded up, and refused if it makes no sense.
#pragma once

#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <ratio>
#include <type_traits>

#include <sigpp/export.hpp>

namespace sigpp::inline v1::detail {

SIGPP_EXPORT [[noreturn]] void throw_bad_duration(const char* function, const char* why);

// nullptr if it makes sense.
template <class Rep, class Period>
constexpr const char* why_bad(std::chrono::duration<Rep, Period> d) noexcept {
  if constexpr (std::is_floating_point_v<Rep>) {
    if (std::isnan(d.count())) return "the duration is not a number";
  }
  if (d < d.zero()) return "the duration is negative";
  using wide = std::chrono::duration<long double, std::nano>;
  // 2^63 is not a long: the next above the largest, which itself is allowed.
  if (std::chrono::duration_cast<wide>(d).count() >= 0x1p63L) {
    return "the duration is longer than 292 years";
  }
  return nullptr;
}

// Nanoseconds, rounded up so that a timeout never ends early and 1 ns is never "off".
// Throws std::system_error (EINVAL): negative, NaN, or more than 2^63 ns (292 years).
template <class Rep, class Period>
constexpr std::chrono::nanoseconds to_nanoseconds(std::chrono::duration<Rep, Period> d,
                                                  const char* function) {
  if (const char* why = why_bad(d)) throw_bad_duration(function, why);
  return std::chrono::ceil<std::chrono::nanoseconds>(d);
}

/// Now and so much, or for ever. Throws nothing.
SIGPP_EXPORT std::chrono::steady_clock::time_point deadline_after(std::chrono::nanoseconds length);

}  // namespace sigpp::inline v1::detail
