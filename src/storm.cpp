#include "storm.hpp"

#include <signal.h>

#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>

#include <sigpp/check.hpp>

#include "in_handler/delivery.hpp"
#include "platform/platform.hpp"
#include "process.hpp"
#include "taken.hpp"
#include "thread_control.hpp"

namespace sigpp::inline v1::detail::storm {

using in_handler::kept_blocked;
using in_handler::shared;

namespace {

// More are needed each time that other threads were hit instead.
constinit thread_local std::uint32_t many = in_handler::storm;
constinit thread_local std::uint64_t hits_before = 0;
constinit thread_local bool waits_for_ring = false;  // in a section of other code

std::uint64_t bit(int signum) noexcept { return std::uint64_t{1} << (signum - 1); }

bool is_kept(int signum) noexcept {
  return signum > 0 && signum < shared.first_queued && (kept_blocked() & bit(signum)) != 0;
}

template <class F>
void for_each_kept(F f) {
  for (int n = 1; kept_blocked() != 0 && n < shared.first_queued; ++n) {
    if (is_kept(n)) f(n);
  }
}

// How often other threads have taken what is kept blocked here.
std::uint64_t hits_of_others() noexcept {
  std::uint64_t sum = 0;
  for_each_kept(
      [&](int n) { sum += process()->counts[static_cast<std::size_t>(n)].taken_elsewhere.load(); });
  return sum;
}

// All who want it look after it at this thread's safe points, and nobody has to hear of it before.
bool may_be_kept(int signum) noexcept {
  if (!in_handler::may_wait(*process(), signum)) return false;
  bool wanted = false;
  const auto n = static_cast<std::size_t>(signum);
  for (const auto* at = shared.routes[n].load(); at != nullptr; at = at->next.load()) {
    const in_handler::station* const to = at->to.load();
    if (to == nullptr) continue;
    if (to->attention.load() != &attention) return false;
    wanted = true;
  }
  return wanted;
}

// For code that neither waits nor comes to a safe point: the ring lets them in.
bool will_ring() noexcept {
  thread_control* const control = known_control();
  if (control == nullptr) return false;
  control->forget_what_has_fired();
  try {
    control->arm(std::chrono::steady_clock::now() + std::chrono::milliseconds(1));
  } catch (const std::exception&) {  // no timer to be had
    return false;
  }
  return true;
}

bool is_to_ring() noexcept {
  thread_control* const control = known_control();
  if (control == nullptr) return false;
  control->forget_what_has_fired();
  return control->is_armed_for(std::chrono::steady_clock::now() + std::chrono::milliseconds(1));
}

// The mask may not be as we have set it: a section of other code will put back what it has saved,
// or the program has changed it for good. Then they stay until a ring, which the handler knows how
// to answer in either; unless a wait has taken that.
void let_in(const all_blocked& guard) noexcept {
  in_handler::end_row();
  if (guard.is_section_of_others()) {
    waits_for_ring = waits_for_ring ? is_to_ring() : will_ring();
    if (waits_for_ring) return;
  }
  in_handler::keep_nothing();
}

bool take_one() noexcept {
  sigset_t kept;
  sigemptyset(&kept);
  for_each_kept([&](int n) { sigaddset(&kept, n); });
  siginfo_t info{};
  if (!platform::take_pending(kept, info)) return false;
  take_over(info);
  return true;
}

void keep(const sigset_t& programs, int signum) noexcept {
  if (sigismember(&programs, signum) == 1) return;
  if (sigismember(&programs, SIGPP_DOORBELL_SIGNAL) == 1 || !will_ring()) return;
  process()->counts[static_cast<std::size_t>(signum)].held_back.fetch_add(1);
  in_handler::keep_blocked(signum);
  waits_for_ring = false;
  hits_before = hits_of_others();
}

}  // namespace

attendance::attendance() noexcept {
  if (in_handler::in_a_row() < many) return;
  const int signum = in_handler::last_in_a_row();
  if (is_kept(signum) || !platform::takes_signals() || !may_be_kept(signum)) return;
  try {
    this_control();
  } catch (const std::exception&) {  // then nothing is kept blocked
    return;
  }
  all_blocked guard;
  keep(guard.program_mask(), signum);
}

attendance::~attendance() { look_within(); }

void after_wait(all_blocked& guard, int signum) noexcept {
  const bool diverts = kept_blocked() != 0 && hits_of_others() != hits_before;
  if (diverts && many < 1U << 20U) many *= 16;
  if (signum == 0 || diverts || in_handler::in_a_row() < many) {
    if (kept_blocked() != 0) let_in(guard);
    return;
  }
  if (!is_kept(signum) && may_be_kept(signum)) keep(guard.program_mask(), signum);
}

void poll() noexcept {
  if (kept_blocked() == 0) return;
  const all_blocked guard;
  bool any = false;  // one for each: what this thread has just sent itself is among them
  for (int left = std::popcount(kept_blocked()); left > 0 && take_one(); --left) any = true;
  if (!any) let_in(guard);
}

void end() noexcept {
  if (kept_blocked() == 0) return;
  const all_blocked guard;
  for (int i = 0; i < shared.first_queued && take_one(); ++i) {
  }
  let_in(guard);
}

void look_within() noexcept {
  if (kept_blocked() != 0) attention.store(1);
}

sigset_t without_kept(sigset_t mask) noexcept {
  for_each_kept([&](int n) { sigdelset(&mask, n); });
  return mask;
}

}  // namespace sigpp::inline v1::detail::storm
