#include "process.hpp"

#include <pthread.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <thread>
#include <utility>
#include <vector>

#include <sigpp/check.hpp>

#include "errors.hpp"
#include "mask.hpp"
#include "platform/platform.hpp"
#include "registry.hpp"
#include "storm.hpp"
#include "thread_control.hpp"

namespace sigpp::inline v1::detail {

// Not where they are used: a program that has no use for these does not link them.
constinit std::mutex background_mutex;
constinit std::mutex shutdown_mutex;

namespace {

using in_handler::process_state;
using in_handler::shared;
using in_handler::station;

enum class role : unsigned char { unknown, main, other };

// Initial-exec: a load, not a call.
[[gnu::tls_model("initial-exec")]] constinit thread_local role this_role = role::unknown;
[[gnu::tls_model("initial-exec")]] constinit thread_local dispatcher_core* this_own_core = nullptr;
constinit std::atomic<bool> ended{false};

// --- memory -------------------------------------------------------------------------------------

struct wiped_pages {
  void* address;
  std::size_t bytes;
};

constinit bool wiped_by_kernel = false;

// Never destroyed; the registry's lock guards it.
std::vector<wiped_pages>& pages() {
  static auto* const all = new std::vector<wiped_pages>;
  return *all;
}

// Zeros are a valid T, whose members are trivially constructible.
template <class T>
T* map_zeros() {
  const platform::fork_memory memory = platform::map_fork_memory(sizeof(T));
  wiped_by_kernel = memory.wiped_by_kernel;
  pages().push_back({memory.address, sizeof(T)});
  return static_cast<T*>(memory.address);
}

// --- exit ---------------------------------------------------------------------------------------

void end_delivery() {
  if (!ended.exchange(true)) registry::instance().reset_all();
}

// Thread-local objects of the thread that calls exit are destroyed before any static is, and before
// any function of atexit runs ([basic.start.term]); so this is the first thing that exit does.
struct main_thread_end {
  main_thread_end() = default;
  ~main_thread_end() { end_delivery(); }
  main_thread_end(const main_thread_end&) = delete;
  main_thread_end& operator=(const main_thread_end&) = delete;
};

// --- threads ------------------------------------------------------------------------------------

// glibc destroys the main thread's thread-local objects at exit only, but its thread-specific data
// also at pthread_exit, and only then.
constinit pthread_key_t main_thread_key = 0;

void main_thread_leaves(void*) {
  if (delivery_ended()) return;
  storm::end();
  this_role = role::other;
  registry::instance().main_thread_has_left();
}

void make_this_the_main_thread() {
  this_role = role::main;
  in_handler::forget_this_thread();  // of before a fork that nobody has told us of
  pthread_setspecific(main_thread_key, &main_thread_key);
  main_core().set_thread_here();
  registry::instance().bring_adopted_here();
  thread_local const main_thread_end end;
  static_cast<void>(end);
}

constinit thread_local bool this_thread_ends = false;

struct own_core_end {
  own_core_end() = default;
  ~own_core_end() {
    this_thread_ends = true;
    dispatcher_core* const core = this_own_core;
    if (core == nullptr) return;  // this became the main thread, in a forked child
    storm::end();
    this_own_core = nullptr;
    dispatcher_core::end_holding_back();
    registry::instance().adopt(*core);
  }
  own_core_end(const own_core_end&) = delete;
  own_core_end& operator=(const own_core_end&) = delete;
};

// --- fork ---------------------------------------------------------------------------------------

constinit std::mutex waiting_for_handlers;
// Of a thread of sigpp's, which blocks every signal.
constinit thread_local const sigset_t* programs_mask = nullptr;
// Of the forking thread, where the kernel does not wipe our pages.
alignas(all_blocked) constinit std::array<std::byte, sizeof(all_blocked)> fork_guard_memory{};
constinit all_blocked* fork_guard = nullptr;

// The locks, so that the child finds the tables whole. Where the kernel does not wipe our pages no
// signal may come in the child before we have.
void before_fork() {
  background_mutex.lock();
  shutdown_mutex.lock();
  waiting_for_handlers.lock();
  registry::instance().mutex().lock();
  registry::instance().lock_timers();
  if (!wiped_by_kernel) fork_guard = new (fork_guard_memory.data()) all_blocked;
}

void after_fork_in_parent() {
  if (fork_guard != nullptr) std::exchange(fork_guard, nullptr)->~all_blocked();
  registry::instance().unlock_timers();
  registry::instance().mutex().unlock();
  waiting_for_handlers.unlock();
  shutdown_mutex.unlock();
  background_mutex.unlock();
}

void after_fork_in_child() {
  if (!wiped_by_kernel) {
    for (const wiped_pages& each : pages()) std::memset(each.address, 0, each.bytes);
  }
  platform::adopt_main_thread();
  platform::alarm_thread::forget();
  in_handler::release_this_thread();
  in_handler::forget_this_thread();
  const signal_set none;
  main_core().forget_records(this_role == role::main ? main_core().running() : none);
  registry::instance().after_fork_in_child();
  this_own_core = nullptr;
  process()->owner.store(getpid());
  if (shared.grace.load() > 0) process()->grace_timer.store(platform::make_grace_timer());
  if (shared.runtime.load() != nullptr) process()->nag_timer.store(platform::make_nag_timer());
  make_this_the_main_thread();
  if (thread_control* const control = known_control()) control->after_fork_in_child();
  after_fork_in_parent();
  if (programs_mask != nullptr) pthread_sigmask(SIG_SETMASK, programs_mask, nullptr);
  programs_mask = nullptr;
}

dispatcher_core* the_main_core = nullptr;

}  // namespace

process_state* process() noexcept { return shared.process.load(std::memory_order_acquire); }

dispatcher_core& main_core() noexcept { return *the_main_core; }

dispatcher_core* own_core() noexcept { return this_own_core; }

void start_delivery() {
  if (process() != nullptr) return;
  struct first_pages {
    process_state state;
    station main;
  };
  auto& [state, main] = *map_zeros<first_pages>();
  shared.first_queued = SIGRTMIN;
  shared.last_queued = SIGRTMAX;
  if (const int error = pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child)) {
    throw_errno(error, "signal", "pthread_atfork");
  }
  if (const int error = pthread_key_create(&main_thread_key, main_thread_leaves)) {
    throw_errno(error, "signal", "pthread_key_create");
  }
  // A thread other than the main one may call exit.
  if (std::atexit(end_delivery) != 0 || std::at_quick_exit(end_delivery) != 0) {
    throw_errno(ENOMEM, "signal", "atexit");
  }
  the_main_core = new dispatcher_core(main);
  state.owner.store(getpid());
  shared.main.store(&main, std::memory_order_release);
  shared.process.store(&state, std::memory_order_release);
}

station& make_station() { return *map_zeros<station>(); }

namespace {

// A child that a system call made, and fork() did not: nobody has told us. Its one thread is the
// main one. A lock that another thread of the parent held stays so; it is made anew where that is
// possible.
void be_born() {
  this_role = role::unknown;
  in_handler::release_this_thread();
  in_handler::forget_this_thread();
  main_core().forget_records({});
  registry::instance().after_fork_in_child();
  this_own_core = nullptr;
  process()->owner.store(getpid());
  platform::alarm_thread::forget();
  if (thread_control* const control = known_control()) control->after_fork_in_child();
}

}  // namespace

bool on_main_thread() {
  if (process() != nullptr && process()->owner.load(std::memory_order_relaxed) == 0) be_born();
  if (this_role != role::unknown) return this_role == role::main;
  if (!platform::is_main_thread()) {
    this_role = role::other;
    return false;
  }
  const std::lock_guard lock(registry::instance().mutex());
  start_delivery();
  make_this_the_main_thread();
  return true;
}

bool runs_handlers() { return on_main_thread() || this_own_core != nullptr; }

bool has_safe_points() { return runs_handlers() || known_control() != nullptr; }

void let_the_doorbell_in() noexcept {
  sigset_t doorbell;
  sigemptyset(&doorbell);
  sigaddset(&doorbell, SIGPP_DOORBELL_SIGNAL);
  pthread_sigmask(SIG_UNBLOCK, &doorbell, nullptr);
}

void prepare_this_thread() {
  on_main_thread();
  static std::atomic<bool> done{false};
  if (done.load()) return;
  registry::instance().prepare();
  done.store(true);
}

dispatcher_core& this_core() {
  if (on_main_thread()) return main_core();
  if (this_thread_ends) {  // what it asks for now is the main thread's at once
    const std::lock_guard lock(registry::instance().mutex());
    start_delivery();
    return main_core();
  }
  if (this_own_core == nullptr) {
    this_own_core = &registry::instance().make_core();
    thread_local const own_core_end end;
    static_cast<void>(end);
  }
  return *this_own_core;
}

// Two generations, changed twice: a handler that has read the old number and not yet counted itself
// is waited for in the second round (the "sleepable RCU" of Linux).
void wait_for_handlers_in_progress() {
  process_state& state = *process();
  const std::lock_guard lock(waiting_for_handlers);
  for (int round = 0; round < 2; ++round) {
    const unsigned old = state.generation.fetch_add(1);
    while (state.running[old & 1U].load() != 0) std::this_thread::yield();
  }
}

namespace {
struct after_the_handlers {
  after_the_handlers() = default;
  ~after_the_handlers() {
    dispatcher_core::end_holding_back();
    wait_for_handlers_in_progress();
  }
  after_the_handlers(const after_the_handlers&) = delete;
  after_the_handlers& operator=(const after_the_handlers&) = delete;
};
}  // namespace

void outlive_handlers() {
  thread_local const after_the_handlers guard;
  static_cast<void>(guard);
}

void programs_mask_here_is(const sigset_t& mask) noexcept { programs_mask = &mask; }

const sigset_t* programs_mask_here() noexcept { return programs_mask; }

bool delivery_ended() noexcept { return ended.load(std::memory_order_relaxed); }

}  // namespace sigpp::inline v1::detail
