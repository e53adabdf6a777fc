#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

#include <sigpp/check.hpp>

#include "in_handler/call.hpp"
#include "in_handler/delivery.hpp"
#include "in_handler/exec.hpp"

namespace sigpp::inline v1 {

[[gnu::tls_model("initial-exec")]] constinit thread_local std::atomic<unsigned> detail::attention{
    1};

namespace in_handler {

constinit shared_state shared{};
[[gnu::tls_model("initial-exec")]] constinit thread_local unsigned active_call = 0;

namespace {

// Initial-exec, for the same reasons as attention: see check.hpp.
[[gnu::tls_model("initial-exec")]] constinit thread_local os::thread_id thread_self = 0;
[[gnu::tls_model("initial-exec")]] constinit thread_local std::int64_t last_arrival = 0;
[[gnu::tls_model("initial-exec")]] constinit thread_local std::uint32_t arrivals_in_a_row = 0;
// Those that another process has sent: it does not wait for the handler. The program's own may be
// as many as it likes; each is counted.
[[gnu::tls_model("initial-exec")]] constinit thread_local std::uint32_t of_others_in_a_row = 0;
[[gnu::tls_model("initial-exec")]] constinit thread_local int last_signal = 0;

void append(char*& at, const char* end, const char* text) noexcept {
  while (*text != '\0' && at != end) *at++ = *text++;
}

void append_hexadecimal(char*& at, const char* end, std::uintptr_t number) noexcept {
  append(at, end, "0x");
  int shift = 60;
  while (shift > 0 && (number >> shift) == 0) shift -= 4;
  for (; shift >= 0 && at != end; shift -= 4) *at++ = "0123456789abcdef"[(number >> shift) & 15U];
}

const char* fault_name(int signum) noexcept {
  switch (signum) {
    case SIGSEGV:
      return "SIGSEGV";
    case SIGBUS:
      return "SIGBUS";
    case SIGFPE:
      return "SIGFPE";
    case SIGILL:
      return "SIGILL";
    case SIGTRAP:
      return "SIGTRAP";
    default:
      return "SIGSYS";
  }
}

void report_fault(const siginfo_t& info, const void* context) noexcept {
  char text[200];
  char* at = text;
  const char* const end = text + sizeof text;
  append(at, end, "sigpp: ");
  append(at, end, fault_name(info.si_signo));
  append(at, end, " raised by the instruction at ");
  append_hexadecimal(at, end, reinterpret_cast<std::uintptr_t>(os::program_counter(context)));
  append(at, end, ", address ");
  append_hexadecimal(at, end, reinterpret_cast<std::uintptr_t>(info.si_addr));
  append(at, end, ": a fault cannot wait for a safe point, its handler does not run\n");
  // write: POSIX.1-2017 2.4.3. A report that cannot be written is no reason not to die.
  static_cast<void>(!write(STDERR_FILENO, text, static_cast<std::size_t>(at - text)));
}

// The action becomes the default one, and happens now. Returns if that is to do nothing, or to stop
// and go on, or if this is process 1, which no default action kills.
void take_default(const siginfo_t& info) noexcept {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  sigaction(info.si_signo, &action, nullptr);  // sigaction: POSIX.1-2017 2.4.3
  if (!os::send_again_to_this_thread(info)) os::send_again(info);
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, info.si_signo);
  pthread_sigmask(SIG_UNBLOCK, &one, nullptr);  // pthread_sigmask: POSIX.1-2017 2.4.3
}

// As if the kernel had called the handler that was there before sigpp: its mask, its flags.
void call_previous(const struct sigaction& before, siginfo_t* info, void* context) noexcept {
  sigset_t mask = os::interrupted_mask(context);
  for (int n = 1; n < static_cast<int>(mailbox::signals); ++n) {
    if (sigismember(&before.sa_mask, n) == 1) sigaddset(&mask, n);
  }
  if ((before.sa_flags & SA_NODEFER) == 0) sigaddset(&mask, info->si_signo);
  if ((before.sa_flags & static_cast<int>(SA_RESETHAND)) != 0 && memory_is_ours()) {
    shared.previous[static_cast<std::size_t>(info->si_signo)].store(nullptr);
  }
  pthread_sigmask(SIG_SETMASK, &mask, nullptr);
  if ((before.sa_flags & SA_SIGINFO) != 0) {
    before.sa_sigaction(info->si_signo, info, context);
  } else {
    before.sa_handler(info->si_signo);
  }
}

// A signal that is not deferred does what it did before sigpp. A real fault cannot be: returning
// would execute the instruction again, for ever. Nor can it be ignored (the kernel would kill,
// too).
void pass_on(siginfo_t* info, void* context, bool fault) noexcept {
  const auto n = static_cast<std::size_t>(info->si_signo);
  const struct sigaction* before = shared.previous[n].load(std::memory_order_acquire);
  const bool plain = before != nullptr && (before->sa_flags & SA_SIGINFO) == 0;
  if (before != nullptr && !(plain && before->sa_handler == SIG_DFL) &&
      !(plain && before->sa_handler == SIG_IGN)) {
    call_previous(*before, info, context);
  } else if (fault) {
    if (shared.recorded[n].load(std::memory_order_relaxed)) report_fault(*info, context);
    take_default(*info);
    _exit(128 + info->si_signo);  // _exit: POSIX.1-2017 2.4.3; going on would fault again, or worse
  } else if (!plain || before->sa_handler != SIG_IGN) {
    struct sigaction now {};
    sigaction(info->si_signo, nullptr, &now);
    const bool ours = (now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == sigpp_on_signal;
    if (info->si_signo != SIGPP_DOORBELL_SIGNAL && (!ours || shared.recorded[n].load())) {
      os::send_again_to_this_thread(*info);  // its action has changed at this very moment
      return;
    }
    take_default(*info);
    // Its death, as process 1, shall not be the end of the doorbell.
    if (info->si_signo == SIGPP_DOORBELL_SIGNAL) sigaction(info->si_signo, &now, nullptr);
  }
}

// write: POSIX.1-2017 2.4.3. To a pipe or socket without a reader it raises SIGPIPE, at once and on
// this thread; it is none of the program's making. Every signal is blocked here, so it can be taken
// back.
bool write_byte(const process_state& process, int descriptor, unsigned char byte) noexcept {
  if (process.wakeup_is_socket.load(std::memory_order_relaxed) != 0) {
    // send: POSIX.1-2017 2.4.3. It may be something else meanwhile.
    if (send(descriptor, &byte, 1, MSG_NOSIGNAL) == 1) return true;
    if (errno != ENOTSOCK) return false;
  }
  sigset_t pending;
  sigpending(&pending);  // sigpending: POSIX.1-2017 2.4.3
  const bool ours = sigismember(&pending, SIGPIPE) == 0;
  if (write(descriptor, &byte, 1) == 1) return true;
  const int error = errno;
  if (error == EPIPE && ours) os::take_back_sigpipe();
  errno = error;
  return false;
}

// After the record, so that who reads the byte finds it.
void write_wakeup(process_state& process, int signum) noexcept {
  const int descriptor = process.wakeup_fd.load(std::memory_order_acquire) - 1;
  if (descriptor < 0 || write_byte(process, descriptor, static_cast<unsigned char>(signum))) return;
  const bool full = errno == EAGAIN;
  if (full) {
    process.unwritten[static_cast<std::size_t>(signum)].fetch_add(1);
    process.any_unwritten.store(1);
  }
  if (!full || process.wakeup_tells_when_full.load(std::memory_order_relaxed)) {
    process.wakeup_error.store(errno, std::memory_order_release);
  }
  wake(*shared.main.load(std::memory_order_acquire));
}

// false: it is not for sigpp.
bool on_doorbell(const siginfo_t& info, void* context) noexcept {
  release(context);  // whoever has rung; a signal of the user's may have swallowed our own ring
  const os::arrival kind = os::kind_of_doorbell(info);
  if (kind != os::arrival::nag) detail::attention.exchange(1);  // this may be the thread's timer
  const bool is_timer = answer_timer(kind);
  tell_runtime();
  nag_runtime();
  if (is_timer || kind == os::arrival::ring) return true;
  if (shared.recorded[SIGPP_DOORBELL_SIGNAL].load(std::memory_order_relaxed)) {
    return deliver(info, context);
  }
  return kind == os::arrival::either;
}

// A blocking call of sigpp on this thread shall return, if it has had no effect yet.
void interrupt_call(void* context) noexcept {
  if (active_call == 0 || detail::attention.load(std::memory_order_relaxed) == 0) return;
  if (os::leave_call(context)) return;
  // A handler of other code has interrupted it, and ours that one. Once that has returned, the ring
  // finds the call. Blocked until then: the mask that is put back when that handler returns lets it
  // in.
  sigaddset(&os::interrupted_mask(context), SIGPP_DOORBELL_SIGNAL);  // POSIX.1-2017 2.4.3
  os::ring(this_thread());
}

}  // namespace

namespace {

// The number of bytes that an eventfd wants. write: POSIX.1-2017 2.4.3. Full: readable it is.
void write_doorbell(station& to) noexcept {
  const int descriptor = to.doorbell.load(std::memory_order_acquire) - 1;
  if (descriptor < 0 || to.is_readable.exchange(1) != 0) return;
  const std::uint64_t one = 1;
  static_cast<void>(!write(descriptor, &one, sizeof one));
}

// Makes room where the oldest ones may go.
void drop_oldest(process_state& process, station& to, int signum, bool queued) noexcept {
  int dropped = 0;
  claims::arrival id = claims::none;
  while (to.queue.is_full_for(signum, queued) && to.queue.drop_oldest(dropped, id)) {
    process.shared_arrivals.drop(id);
    process.counts[static_cast<std::size_t>(dropped)].dropped.fetch_add(1,
                                                                        std::memory_order_relaxed);
  }
}

// The first one of a shutdown_source's signals asks, and starts the grace; the second one ends.
void ask(process_state& process, const siginfo_t& info, std::int64_t now) noexcept {
  const std::int64_t microseconds = now / 1000;  // of which 57 bits hold 4500 years
  const auto asking =
      static_cast<std::uint64_t>(microseconds) << 7U | static_cast<unsigned>(info.si_signo);
  std::uint64_t asked = 0;
  if (process.asked.compare_exchange_strong(asked, asking)) {
    const std::int64_t grace = shared.grace.load(std::memory_order_relaxed);
    void* const timer = process.grace_timer.load(std::memory_order_acquire);
    if (grace > 0 && timer != nullptr) os::start_grace(timer, grace);
    return;
  }
  const std::int64_t repeats = shared.repeats.load(std::memory_order_relaxed);
  if (repeats < 0) return;
  const std::int64_t since = microseconds - static_cast<std::int64_t>(asked >> 7U);
  if (since < 0 || since * 1000 >= repeats) end_process(info);  // < 0: at the same time
}

void raise_to(std::atomic<std::uint64_t>& most, std::uint64_t value) noexcept {
  std::uint64_t now = most.load(std::memory_order_relaxed);
  while (now < value && !most.compare_exchange_weak(now, value, std::memory_order_relaxed)) {
  }
}

}  // namespace

void end_process(const siginfo_t& info) noexcept {
  take_default(info);
  _exit(128 + info.si_signo);  // _exit: POSIX.1-2017 2.4.3
}

void end_of_grace() noexcept {
  process_state& process = *shared.process.load(std::memory_order_acquire);
  siginfo_t info{};
  info.si_signo = static_cast<int>(process.asked.load() & 127U);
  info.si_code = SI_QUEUE;
  if (shared.asks[static_cast<std::size_t>(info.si_signo)].load() != 0) end_process(info);
}

bool answer_timer(os::arrival kind) noexcept {
  if (kind == os::arrival::end_of_grace) end_of_grace();
  if (kind == os::arrival::nag) shared.process.load(std::memory_order_acquire)->nagging.store(0);
  return kind == os::arrival::end_of_grace || kind == os::arrival::nag;
}

void nag_runtime() noexcept {
  constexpr std::int64_t patience = 10'000'000;
  if (shared.runtime.load(std::memory_order_acquire) == nullptr) return;
  if (detail::attention.load(std::memory_order_relaxed) == 0) return;
  const station* const main = shared.main.load(std::memory_order_acquire);
  if (main->attention.load(std::memory_order_relaxed) != &detail::attention) return;
  process_state& process = *shared.process.load(std::memory_order_acquire);
  void* const timer = process.nag_timer.load(std::memory_order_acquire);
  if (timer != nullptr && process.nagging.exchange(1) == 0) os::start_nag(timer, patience);
}

void tell_runtime() noexcept {
  void (*const tell)() = shared.runtime.load(std::memory_order_acquire);
  if (tell == nullptr || detail::attention.load(std::memory_order_relaxed) == 0) return;
  const station* const main = shared.main.load(std::memory_order_acquire);
  // tell: async-signal-safe, as <sigpp/runtime.hpp> asks.
  if (main->attention.load(std::memory_order_relaxed) == &detail::attention) tell();
}

bool write_unwritten(process_state& process) noexcept {
  const int descriptor = process.wakeup_fd.load(std::memory_order_acquire) - 1;
  for (std::size_t n = 1; n < process.unwritten.size(); ++n) {
    while (process.unwritten[n].load() != 0) {
      const bool done =
          descriptor < 0 || write_byte(process, descriptor, static_cast<unsigned char>(n));
      if (!done && errno == EAGAIN) return false;
      process.unwritten[n].fetch_sub(1);
    }
  }
  return true;
}

void wake(station& to) noexcept {
  write_doorbell(to);
  // Reads the latest value: a thread that comes to wait here after this sees the record.
  std::atomic<unsigned>* attention = to.attention.load(std::memory_order_relaxed);
  while (!to.attention.compare_exchange_weak(attention, attention)) {
  }
  if (attention == nullptr || attention == &detail::attention) {
    // Not a store: another thread may have raised it, and not rung, as it was raised already. Who
    // lowers it has to see that one's record, too.
    detail::attention.exchange(1);
    return tell_runtime();
  }
  // Raised already: who did it has rung, or its own thread has, which will not block.
  if (attention->exchange(1) != 0) return;
  const os::thread_id thread = to.thread.load();
  if (thread != 0) os::ring(thread);  // 0: it has just left
}

namespace {

void count_in_a_row(const process_state& process, const record& arrival) noexcept {
  if (arrival.time - last_arrival > 20'000) arrivals_in_a_row = of_others_in_a_row = 0;
  last_arrival = arrival.time;
  last_signal = arrival.info.si_signo;
  ++arrivals_in_a_row;
  const bool own = arrival.info.si_code <= 0 && arrival.info.si_pid == process.owner.load();
  if (!own) ++of_others_in_a_row;
}

// They have so many of the signal that they come no sooner for one more.
bool is_late_for(const route* first, int signum) noexcept {
  for (const route* at = first; at != nullptr; at = at->next.load(std::memory_order_acquire)) {
    const station* const to = at->to.load(std::memory_order_acquire);
    if (to != nullptr && !to->queue.has_many_of(signum)) return false;
  }
  return true;
}

bool has_room(const route* first) noexcept {
  for (const route* at = first; at != nullptr; at = at->next.load(std::memory_order_acquire)) {
    const station* const to = at->to.load(std::memory_order_acquire);
    if (to == nullptr || to->queue.is_lossy()) continue;
    if (to->queue.size() >= mailbox::full_at) return false;
  }
  return true;
}

}  // namespace

bool deliver(const siginfo_t& info, void* context) noexcept {
  process_state& process = *shared.process.load(std::memory_order_acquire);
  const auto n = static_cast<std::size_t>(info.si_signo);
  auto& counts = process.counts[n];
  record arrival;
  copy_words(&arrival.info, &info, sizeof info);
  arrival.program_counter = context != nullptr ? os::program_counter(context) : nullptr;
  arrival.time = os::now();
  arrival.thread = os::kernel_id(this_thread());
  arrival.merged = 0;
  count_in_a_row(process, arrival);
  if (shared.asks[n].load(std::memory_order_relaxed) != 0) ask(process, info, arrival.time);
  // Routes made from now on come before this one, and get the next arrival; those made in a node
  // that was free may get this one, too.
  route* const first = shared.routes[n].load(std::memory_order_acquire);
  const bool several = first != nullptr && first->next.load(std::memory_order_acquire) != nullptr;
  arrival.id = several ? process.shared_arrivals.open() : claims::none;

  const bool queued = info.si_signo >= shared.first_queued && info.si_signo <= shared.last_queued;
  const bool room = !queued || has_room(first);
  bool wanted = false;
  bool stored = false;
  bool crowded = false;
  bool elsewhere = false;
  for (route* at = first; at != nullptr; at = at->next.load(std::memory_order_acquire)) {
    station* const to = at->to.load(std::memory_order_acquire);
    if (to == nullptr) continue;
    wanted = true;
    if (!room) {
      crowded = true;
      continue;
    }
    process.shared_arrivals.add(arrival.id);
    const bool lossy = to->queue.is_lossy();
    if (lossy) drop_oldest(process, *to, info.si_signo, queued);
    const mailbox::posted posted = to->queue.post(arrival, queued);
    raise_to(counts.high_water, to->queue.size());
    if (to->attention.load(std::memory_order_relaxed) != &detail::attention) elsewhere = true;
    if (posted == mailbox::posted::refused && lossy) {  // who makes room was interrupted
      process.shared_arrivals.drop(arrival.id);
      counts.received.fetch_add(1, std::memory_order_relaxed);
      counts.dropped.fetch_add(1, std::memory_order_relaxed);
      to->queue.count_dropped();
      stored = true;
      continue;
    }
    crowded = crowded || (!lossy && (posted == mailbox::posted::stored_crowded ||
                                     posted == mailbox::posted::refused));
    if (posted == mailbox::posted::refused) {
      process.shared_arrivals.give_up(arrival.id);
      if (stored) counts.refused.fetch_add(1, std::memory_order_relaxed);
      continue;
    }
    if (posted == mailbox::posted::merged) process.shared_arrivals.handled(arrival.id);
    stored = true;
    counts.received.fetch_add(1, std::memory_order_relaxed);
  }
  // Those who have got it may all have given it up already.
  const bool given_up =
      arrival.id != claims::none && process.shared_arrivals.give_up_own(arrival.id);
  if (!wanted) return false;
  if (elsewhere) counts.taken_elsewhere.fetch_add(1, std::memory_order_relaxed);
  // Before the dispatcher looks, which releases the threads that hold back.
  const bool back = !stored || given_up;
  bool kept = false;
  if (!queued && of_others_in_a_row >= storm && is_late_for(first, info.si_signo) &&
      may_wait(process, info.si_signo)) {
    if (hold_back(process, context, nullptr, info.si_signo)) {
      counts.held_back.fetch_add(1, std::memory_order_relaxed);
    }
  } else if (queued && crowded) {
    const bool holds = hold_back(process, context, back ? &info : nullptr);
    if (holds) counts.held_back.fetch_add(1, std::memory_order_relaxed);
    kept = holds && back;
  }
  for (route* at = first; at != nullptr; at = at->next.load(std::memory_order_acquire)) {
    station* const to = at->to.load(std::memory_order_acquire);
    if (to != nullptr) wake(*to);
  }
  if (stored) write_wakeup(process, info.si_signo);
  if (shared.restarts[n].load(std::memory_order_relaxed) == 0) nag_runtime();
  if (back && !kept) {
    // To the kernel, whose queue may be full of others meanwhile.
    while (!os::send_again_to_this_thread(info) && !keep_for_later(process, info)) {
    }
  }
  return true;
}

namespace {

// Raised by an instruction while it is blocked it would end the process: sigprocmask(2).
bool may_be_a_fault(int signum) noexcept {
  return signum == SIGSEGV || signum == SIGBUS || signum == SIGFPE || signum == SIGILL ||
         signum == SIGTRAP || signum == SIGSYS;
}

}  // namespace

bool is_sent_by_terminals(int signum) noexcept {
  return signum == SIGINT || signum == SIGQUIT || signum == SIGTSTP;
}

bool may_wait(const process_state& process, int signum) noexcept {
  const auto n = static_cast<std::size_t>(signum);
  return signum < shared.first_queued && signum != SIGPP_DOORBELL_SIGNAL &&
         !may_be_a_fault(signum) && !is_sent_by_terminals(signum) &&
         shared.recorded[n].load() != 0 && shared.asks[n].load() == 0 &&
         shared.runtime.load() == nullptr && process.wakeup_fd.load() == 0;
}

std::uint32_t in_a_row() noexcept { return arrivals_in_a_row; }

int last_in_a_row() noexcept { return last_signal; }

void end_row() noexcept { arrivals_in_a_row = of_others_in_a_row = 0; }

os::thread_id this_thread() noexcept {
  if (thread_self == 0) thread_self = os::current_thread();
  return thread_self;
}

void forget_this_thread() noexcept { thread_self = 0; }

extern "C" void sigpp_on_signal(int signum, siginfo_t* info, void* context) noexcept {
  os::vouch_for_stack(__builtin_frame_address(0));
  const int saved_errno = errno;  // errno in handlers: POSIX.1-2017 2.4.3, "shall be restored"
  // Set before the first sigaction that names this function; never reset.
  process_state& process = *shared.process.load(std::memory_order_acquire);
  const bool fault = os::raised_by_instruction(*info);
  if (!memory_is_ours()) {
    if (fault) {
      pass_on(info, context, fault);
    } else {
      take_default(*info);
    }
    errno = saved_errno;
    return;
  }
  auto& running = process.running[process.generation.load() & 1U];
  running.fetch_add(1);
  bool ours = false;
  if (signum == SIGPP_DOORBELL_SIGNAL) {
    ours = on_doorbell(*info, context);
  } else if (!fault) {
    ours = deliver(*info, context);  // false: other code has put our handler back after we left
  }
  running.fetch_sub(1);
  interrupt_call(context);
  if (!ours) pass_on(info, context, fault);  // it may not return
  errno = saved_errno;
}

}  // namespace in_handler
}  // namespace sigpp::inline v1
