#include "in_handler/exec.hpp"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "in_handler/delivery.hpp"
#include "in_handler/os.hpp"

// sigfillset, sigismember, pthread_sigmask, getpid: POSIX.1-2017 2.4.3
namespace sigpp::inline v1::in_handler {

namespace {

sigset_t block_all() noexcept {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  return before;
}

// Nobody is writing: a child has one thread, whose handlers have returned.
void send_again(process_state& process, mailbox& queue) noexcept {
  record next;
  while (queue.peek(next, [] {})) {
    if (queue.take(next) && process.shared_arrivals.give_up(next.id)) os::send_again(next.info);
  }
}

}  // namespace

// A system call for each signal: nothing else tells a child of vfork from its parent. See
// docs/decisions/0014-exec.md.
bool memory_is_ours() noexcept {
  const process_state* const process = shared.process.load(std::memory_order_acquire);
  const pid_t owner = process != nullptr ? process->owner.load(std::memory_order_relaxed) : 0;
  return owner == 0 || owner == getpid();
}

bool is_ignored(int signum) noexcept {
  struct sigaction now {};
  os::set_action(signum, nullptr, &now);
  return (now.sa_flags & SA_SIGINFO) == 0 && now.sa_handler == SIG_IGN;
}

bool becomes_default(int signum, ignored_signals ignored) noexcept {
  if (ignored == ignored_signals::reset || !is_ignored(signum)) return true;
  return ignored == ignored_signals::inherited &&
         shared.was[static_cast<std::size_t>(signum)].load() == shared.caught_or_default;
}

sigset_t program_mask() noexcept {
  const sigset_t before = block_all();
  const sigset_t programs = program_mask(before);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return programs;
}

void prepare_for_exec(const sigset_t* mask, ignored_signals ignored,
                      void (*send_parked_again)() noexcept) noexcept {
  const int saved_errno = errno;
  const sigset_t programs = program_mask(block_all());
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  for (int n = 1; n < static_cast<int>(mailbox::signals); ++n) {
    // The doorbell stays caught until exec, unless somebody wants it: a timer may ring.
    const bool rings = n == SIGPP_DOORBELL_SIGNAL && shared.recorded[SIGPP_DOORBELL_SIGNAL] == 0;
    if (!rings && becomes_default(n, ignored)) os::set_action(n, &action, nullptr);
  }
  process_state* const process = shared.process.load(std::memory_order_acquire);
  if (process != nullptr && memory_is_ours()) {
    if (process->owner.load() != 0) send_parked_again();  // else it is the parent's
    for (const auto& first : shared.routes) {
      for (route* at = first.load(); at != nullptr; at = at->next.load()) {
        station* const to = at->to.load();
        if (to != nullptr) send_again(*process, to->queue);
      }
    }
    for (auto& entry : process->held_threads) {  // what there was no room for
      if (entry.kind.exchange(entry.only_held) != entry.only_held) os::send_again(entry.taken);
    }
    hold_nothing();
  }
  // Last: what is not blocked, and kills, does it now.
  pthread_sigmask(SIG_SETMASK, mask != nullptr ? mask : &programs, nullptr);
  errno = saved_errno;
}

}  // namespace sigpp::inline v1::in_handler
