// The life of the process and its threads as far as signals go: first use, fork, ends.
#pragma once

#include <signal.h>

#include <atomic>
#include <mutex>

#include "dispatcher_core.hpp"
#include "in_handler/delivery.hpp"

namespace sigpp::inline v1::detail {

/// The memory that the handler works on; nullptr before start_delivery().
in_handler::process_state* process() noexcept;

/// Makes that memory, and hears of fork and exit from now on. Under the registry's lock. Throws
/// ENOMEM.
void start_delivery();

/// Memory for one more dispatcher. Under the registry's lock. Throws ENOMEM.
in_handler::station& make_station();

/// The main thread's. After start_delivery().
dispatcher_core& main_core() noexcept;

/// The calling thread's own; nullptr if it never asked for one, or is the main thread.
dispatcher_core* own_core() noexcept;

/// The calling thread's, made if it has none.
dispatcher_core& this_core();

/// Is the caller the main thread? Its first call makes it known.
bool on_main_thread();

/// Does the calling thread run handlers?
bool runs_handlers();

/// Or can it be interrupted, or has it deadlines?
bool has_safe_points();

/// The calling thread shall hear rings in the calls that do not change its mask, even if it blocks
/// every signal.
void let_the_doorbell_in() noexcept;

/// Rings, and the timer's signal, are heard from now on. Throws what registry::prepare() does.
void prepare_this_thread();

/// Held over fork(), as the registry's: of the making of a background, and of the shutdown_source.
extern constinit std::mutex background_mutex;
extern constinit std::mutex shutdown_mutex;

/// While it lives the thread counts as one that runs the signal handler: it does its work.
class as_a_handler {
 public:
  as_a_handler() noexcept : running_(process()->running[process()->generation.load() & 1U]) {
    running_.fetch_add(1);
  }
  ~as_a_handler() { running_.fetch_sub(1); }
  as_a_handler(const as_a_handler&) = delete;
  as_a_handler& operator=(const as_a_handler&) = delete;

 private:
  std::atomic<unsigned>& running_;
};

/// Waits until every signal handler that is running now has returned; those that begin meanwhile
/// see all that was changed before.
void wait_for_handlers_in_progress();

/// The calling thread's word stays until the handlers that may be looking at it have returned.
void outlive_handlers();

/// Of a thread of sigpp's, which blocks every signal: what the program had blocked where it made
/// the thread. A child that it forks gets this mask. It stays where it is until then.
void programs_mask_here_is(const sigset_t& mask) noexcept;
/// nullptr: this is the program's own thread.
const sigset_t* programs_mask_here() noexcept;

/// exit has begun: nothing is dispatched any more.
bool delivery_ended() noexcept;

}  // namespace sigpp::inline v1::detail
