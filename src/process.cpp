#include "process.hpp"

#include <pthread.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>
#include <system_error>

#include <sigpp/check.hpp>

#include "dispatcher.hpp"
#include "errors.hpp"
#include "platform/platform.hpp"
#include "registry.hpp"

namespace sigpp::inline v1 {

namespace {

using in_handler::process_state;
using in_handler::shared;

enum class role : unsigned char { unknown, main, other };

constinit thread_local role this_role = role::unknown;
constinit std::atomic<bool> ended{false};
constinit bool wiped_by_kernel = false;

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

void make_this_the_main_thread(process_state& state) noexcept {
  this_role = role::main;
  state.main.thread.store(in_handler::this_thread());
  state.main.attention.store(&detail::attention, std::memory_order_release);
  detail::attention.store(1);  // there may be arrivals from before
  thread_local const main_thread_end end;
  static_cast<void>(end);
}

// --- fork ---------------------------------------------------------------------------------------

constinit sigset_t mask_before_fork{};

// Both locks, so that the child finds the tables whole. Where the kernel does not wipe our pages no
// signal may come in the child before we have.
void before_fork() {
  registry::instance().mutex().lock();
  dispatcher::main().mutex().lock();
  if (!wiped_by_kernel) {
    sigset_t all;
    sigfillset(&all);
    sigset_t before;
    pthread_sigmask(SIG_SETMASK, &all, &before);
    mask_before_fork = before;
  }
}

void after_fork_in_parent() {
  const sigset_t mask = mask_before_fork;
  dispatcher::main().mutex().unlock();
  registry::instance().mutex().unlock();
  if (!wiped_by_kernel) pthread_sigmask(SIG_SETMASK, &mask, nullptr);
}

void after_fork_in_child() {
  process_state& state = *process();
  if (!wiped_by_kernel) std::memset(static_cast<void*>(&state), 0, sizeof state);
  platform::adopt_main_thread();
  in_handler::release_this_thread();
  in_handler::forget_this_thread();
  dispatcher::main().forget_records();
  make_this_the_main_thread(state);
  after_fork_in_parent();
}

}  // namespace

process_state* process() noexcept { return shared.process.load(std::memory_order_acquire); }

process_state& start_delivery() {
  if (process_state* const state = process()) return *state;
  const platform::fork_memory memory = platform::map_fork_memory(sizeof(process_state));
  wiped_by_kernel = memory.wiped_by_kernel;
  shared.first_queued = SIGRTMIN;
  shared.last_queued = SIGRTMAX;
  if (const int error = pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child)) {
    throw_errno(error, "signal", "pthread_atfork");
  }
  // A thread other than the main one may call exit.
  if (std::atexit(end_delivery) != 0 || std::at_quick_exit(end_delivery) != 0) {
    throw_errno(ENOMEM, "signal", "atexit");
  }
  // Pages of zeros are a valid process_state: its members are trivially constructible.
  auto* const state = static_cast<process_state*>(memory.address);
  shared.process.store(state, std::memory_order_release);
  return *state;
}

bool on_main_thread() {
  const process_state* const state = process();
  // The second condition: a child of a raw fork system call, which no pthread_atfork hears of.
  if (this_role != role::unknown &&
      (state == nullptr || state->main.attention.load(std::memory_order_relaxed) != nullptr)) {
    return this_role == role::main;
  }
  if (!platform::is_main_thread()) {
    this_role = role::other;
    return false;
  }
  const std::lock_guard lock(registry::instance().mutex());
  make_this_the_main_thread(start_delivery());
  return true;
}

bool delivery_ended() noexcept { return ended.load(std::memory_order_relaxed); }

}  // namespace sigpp::inline v1
