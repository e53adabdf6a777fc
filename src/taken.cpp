#include "taken.hpp"

#include <chrono>
#include <cstddef>

#include <sigpp/check.hpp>

#include "dispatcher_core.hpp"
#include "in_handler/delivery.hpp"
#include "mask.hpp"
#include "platform/platform.hpp"
#include "process.hpp"
#include "registry.hpp"

namespace sigpp::inline v1::detail {

using in_handler::os::arrival;

namespace {

void deliver(const siginfo_t& info) {
  const as_a_handler counted;
  if (!in_handler::deliver(info, nullptr)) in_handler::os::send_again(info);
}

void answer_doorbell(const siginfo_t& info) {
  const arrival kind = in_handler::os::kind_of_doorbell(info);
  const bool users = in_handler::shared.recorded[SIGPP_DOORBELL_SIGNAL].load();
  if (in_handler::answer_timer(kind)) return;
  if (kind == arrival::ring || (kind == arrival::either && !users)) return;
  if (!users) return in_handler::os::send_again(info);
  deliver(info);
}

bool is_ignored(const struct sigaction& action, int signum) noexcept {
  if ((action.sa_flags & SA_SIGINFO) != 0) return false;
  if (action.sa_handler == SIG_IGN) return true;
  const bool by_default =
      signum == SIGCHLD || signum == SIGCONT || signum == SIGURG || signum == SIGWINCH;
  return action.sa_handler == SIG_DFL && by_default;
}

void send_to_this_thread(const siginfo_t& info) noexcept {
  while (!in_handler::os::send_again_to_this_thread(info)) {
    // The kernel's queue is full of those that wait for this thread.
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, info.si_signo);
    pthread_sigmask(SIG_UNBLOCK, &one, nullptr);
    pthread_sigmask(SIG_BLOCK, &one, nullptr);
  }
}

}  // namespace

void hand_on(const siginfo_t& info) {
  if (info.si_signo == SIGPP_DOORBELL_SIGNAL) return answer_doorbell(info);
  // Other code may have replaced our handler behind our back: then it is that one's.
  if (!registry::is_installed(info.si_signo)) return in_handler::os::send_again(info);
  deliver(info);
}

bool take_over(const siginfo_t& info) {
  if (info.si_signo == SIGPP_DOORBELL_SIGNAL) {
    in_handler::release(nullptr);
    attention.store(1);  // as it does in the handler
    answer_doorbell(info);
    return true;
  }
  struct sigaction installed {};
  platform::set_action(info.si_signo, nullptr, &installed);
  if (is_ignored(installed, info.si_signo)) return false;
  if (registry::is_ours(installed) && !in_handler::is_sent_by_terminals(info.si_signo)) {
    deliver(info);
  } else {
    in_handler::keep_no_more(info.si_signo);
    send_to_this_thread(info);
  }
  return true;
}

bool raise_and_take(int signum) {
  if (signum < 1 || signum >= static_cast<int>(in_handler::mailbox::signals)) return false;
  if (!in_handler::shared.recorded[static_cast<std::size_t>(signum)].load()) return false;
  if (signum == SIGPP_DOORBELL_SIGNAL || in_handler::is_sent_by_terminals(signum)) return false;
  if (!platform::takes_signals() || dispatcher_core::any_is_crowded()) return false;
  const all_blocked guard;
  const sigset_t mask = guard.mask();
  if (sigismember(&mask, signum) == 1 || !platform::raise_here(signum)) return false;
  sigset_t closed;
  sigfillset(&closed);
  sigdelset(&closed, signum);
  siginfo_t info{};
  if (platform::take_signal(closed, std::chrono::nanoseconds::zero(), info)) take_over(info);
  return true;
}

}  // namespace sigpp::inline v1::detail
