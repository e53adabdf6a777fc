// timer_create(2) with SIGEV_THREAD_ID: the kernel rings exactly one thread.
#include "platform/thread_timer.hpp"
#include "platform/platform.hpp"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <new>

namespace sigpp::inline v1::platform {

namespace {

using std::chrono::nanoseconds;

pid_t this_thread() noexcept { return static_cast<pid_t>(syscall(SYS_gettid)); }

std::optional<timer_t> make_timer(int notify, const char& mark, pid_t thread) noexcept {
  sigevent event{};
  event.sigev_notify = notify;
  event.sigev_signo = SIGPP_DOORBELL_SIGNAL;
  event.sigev_value.sival_ptr = const_cast<char*>(&mark);
  event._sigev_un._tid = thread;
  timer_t made{};
  if (timer_create(CLOCK_MONOTONIC, &event, &made) != 0) return std::nullopt;
  return made;
}

}  // namespace

void kill_later(int signum) noexcept {
  sigevent event{};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = signum;
  timer_t made{};
  if (timer_create(CLOCK_MONOTONIC, &event, &made) != 0) return;
  itimerspec spec{};
  spec.it_value.tv_sec = 1;
  timer_settime(made, 0, &spec, nullptr);
}

void* make_grace_timer() noexcept {
  const auto made = make_timer(SIGEV_SIGNAL, in_handler::os::grace_mark, this_thread());
  if (!made) return nullptr;
  auto* const kept = new (std::nothrow) timer_t(*made);
  if (kept == nullptr) timer_delete(*made);
  return kept;
}

// The main thread's id is the process's. There is one, which is never deleted.
void* make_nag_timer() noexcept {
  static constinit timer_t kept{};
  const auto made = make_timer(SIGEV_THREAD_ID, in_handler::os::nag_mark, getpid());
  if (!made) return nullptr;
  kept = *made;
  return &kept;
}

void delete_grace_timer(void* timer) noexcept {
  auto* const made = static_cast<timer_t*>(timer);
  if (made != nullptr) timer_delete(*made);
  delete made;
}

void thread_timer::end() noexcept {
  fallback_.disarm();
  if (system_timer_ && process_ == getpid()) timer_delete(*system_timer_);
  system_timer_.reset();
}

void thread_timer::arm(std::chrono::steady_clock::time_point deadline) {
  if (!made_) {
    system_timer_ = make_timer(SIGEV_THREAD_ID, in_handler::os::timer_mark, this_thread());
    // None, by EAGAIN: RLIMIT_SIGPENDING
    made_ = true;
    process_ = getpid();
  }
  if (!system_timer_) return fallback_.arm(deadline);
  const auto at = std::max(deadline.time_since_epoch(), nanoseconds(1)).count();  // 0 would disarm
  itimerspec spec{};
  spec.it_value.tv_sec = static_cast<time_t>(at / 1'000'000'000);
  spec.it_value.tv_nsec = static_cast<long>(at % 1'000'000'000);
  timer_settime(*system_timer_, TIMER_ABSTIME, &spec, nullptr);
}

void thread_timer::forget() noexcept {
  system_timer_.reset();
  made_ = false;
  new (&fallback_) alarm_thread::entry();
}

}  // namespace sigpp::inline v1::platform
