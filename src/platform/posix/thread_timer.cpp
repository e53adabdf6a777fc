#include "platform/thread_timer.hpp"

#include <new>

namespace sigpp::inline v1::platform {

void thread_timer::end() noexcept { fallback_.disarm(); }

void thread_timer::arm(std::chrono::steady_clock::time_point deadline) { fallback_.arm(deadline); }

void thread_timer::forget() noexcept { new (&fallback_) alarm_thread::entry(); }

}  // namespace sigpp::inline v1::platform
