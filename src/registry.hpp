// Who handles which signal, and where.
//
// Thread safety: every member, from any thread, never in a signal handler. User code (a callable,
// its destructor) never runs under the lock. Invariants, whenever the lock is free:
//   1. A signal's routes lead to just those dispatchers that have somebody to call for it.
//   2. Our handler is installed while it has routes, unless other code has replaced it since.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <system_error>
#include <utility>
#include <vector>

#include <sigpp/handler.hpp>
#include <sigpp/signal_set.hpp>

#include "dispatcher_core.hpp"
#include "in_handler/delivery.hpp"

namespace sigpp::inline v1::detail {

/// Somebody beside the one slot of signal().
struct subscriber {
  std::uint64_t id;
  signal_set signals;
  handler what;
  dispatcher_core* where;
  int calls = 0;                 // in progress, on the thread of `where`
  const void* runner = nullptr;  // marks that thread, while there are any
};

class registry {
 public:
  /// Never destroyed: signals come until the last instruction.
  static registry& instance() noexcept;

  /// signal(): fills the slot; returns what was there. `signum` is catchable.
  handler set(int signum, handler h);
  /// Puts `before` back into the slot if `put_in` is still there.
  void restore_slot(int signum, const handler& put_in, handler before);
  /// getsignal(). `signum` is valid.
  handler get(int signum);
  /// siginterrupt().
  void set_restart(int signum, bool restart);

  /// Adds somebody. The signals are catchable, `what` is callable.
  std::shared_ptr<subscriber> add(const signal_set& signals, handler what, dispatcher_core& where);
  /// Nobody is called any more; what is pending goes to those who are left, or to the kernel.
  /// `wait`: also for a call in progress on another thread. Returns the signals whose action was
  /// not ours any more: other code has replaced it, and it stays.
  signal_set remove(const std::shared_ptr<subscriber>& who, bool wait);

  /// One call of a function for one arrival. Destroyed when the function has returned.
  class call {
   public:
    call() = default;
    call(call&& other) noexcept { swap(other); }
    call& operator=(call&& other) noexcept {
      call(std::move(other)).swap(*this);
      return *this;
    }
    ~call();
    explicit operator bool() const noexcept { return id_ != 0; }
    void operator()(const signal_info& info) const { what_(info); }
    [[nodiscard]] std::uint64_t id() const noexcept { return id_; }
    /// Is there another one after this?
    [[nodiscard]] bool more() const noexcept { return more_; }

   private:
    friend class registry;
    void swap(call& other) noexcept {
      std::swap(what_, other.what_);
      std::swap(who_, other.who_);
      std::swap(id_, other.id_);
      std::swap(more_, other.more_);
    }
    handler what_;
    std::shared_ptr<subscriber> who_;  // null: the slot
    std::uint64_t id_ = 0;
    bool more_ = false;
  };
  /// The first call for `signum` at `where` by somebody with after < id <= last.
  call next_call(int signum, dispatcher_core& where, std::uint64_t after, std::uint64_t last);
  [[nodiscard]] std::uint64_t last_id() const noexcept { return last_id_.load(); }

  /// Raises the attention of the thread there, which cannot end meanwhile.
  void wake(dispatcher_core& core);

  /// The doorbell shall be heard, though there is no handler yet.
  void prepare();

  /// See <sigpp/runtime.hpp>.
  void attach_runtime(void (*tell)());

  /// Is our handler what the system would call?
  static bool is_installed(int signum) noexcept;
  static bool is_ours(const struct sigaction& action) noexcept;

  bool wanted_at(int signum, dispatcher_core& where);

  /// Does nobody want it, and does the system drop it?
  bool is_ignored(int signum);

  /// A dispatcher for the calling thread; the one of a thread that has ended, if there is one.
  dispatcher_core& make_core();
  /// One that no thread owns.
  dispatcher_core& make_loose_core(std::uint64_t limit, bool lossy);
  /// Nobody dispatches there any more: what is subscribed goes to the main thread.
  void retire(dispatcher_core& core);
  /// From now on the functions of signal() are called there, until end_background().
  void begin_background(dispatcher_core& there);
  void end_background(dispatcher_core& there);
  /// Where they are called now.
  dispatcher_core& slots_are_called_at();
  /// Its thread ends: the main thread runs what is left for it.
  void adopt(dispatcher_core& core);
  /// The calling thread has become known as the main one. Under the lock.
  void bring_adopted_here() noexcept;
  /// Every dispatcher whose safe points are the main thread's, but for the main one itself.
  std::vector<dispatcher_core*> adopted();
  /// Holds it if it is the calling thread's still. Whoever gets true lets it go.
  bool hold_here(dispatcher_core& core);
  [[nodiscard]] bool has_adopted() const noexcept { return has_adopted_.load(); }

  /// The main thread has left by pthread_exit: nobody runs what is its to run.
  void main_thread_has_left();

  /// Gives every signal that we handle its default action. For exit; once.
  void reset_all() noexcept;

  /// set_wakeup_fd's callback, and its use.
  void set_wakeup_reporter(std::function<void(std::error_code)> reporter);
  void report_wakeup_error(int error);

  /// Held over fork(), so that the child finds the tables whole.
  std::mutex& mutex() noexcept { return mutex_; }
  /// The same for every dispatcher's timers; with that lock held.
  void lock_timers();
  void unlock_timers();
  /// In the child: the threads that other dispatchers were for do not exist.
  void after_fork_in_child() noexcept;

 private:
  static constexpr std::uint64_t slot_id = 1;
  struct entry {
    handler slot;
    bool slot_is_mains = false;                            // wherever the others are called
    std::vector<std::shared_ptr<subscriber>> subscribers;  // by their ids
  };
  entry& at(int signum) noexcept { return table_[static_cast<std::size_t>(signum)]; }
  /// Nothing is subscribed or pending there, and nobody refers to it.
  bool may_be_given_away(dispatcher_core& core);
  dispatcher_core* take_idle_core();
  void move_slots(dispatcher_core* from, dispatcher_core* to);
  [[nodiscard]] dispatcher_core& slot_core(const entry& e) const noexcept;
  void put_in_slot(entry& e, handler& h);
  bool replace(int signum, handler& h);
  [[nodiscard]] bool runs(dispatcher_core& where) const noexcept;
  [[nodiscard]] bool wants(const entry& e, dispatcher_core& where) const noexcept;
  [[nodiscard]] bool wanted(const entry& e) const noexcept;
  handler describe(int signum, const struct sigaction& installed);
  void keep_previous(int signum, const struct sigaction& action);
  static void note_before(int signum, const struct sigaction& before) noexcept;
  void install_doorbell();
  void add_route(int signum, in_handler::station& to);
  std::vector<dispatcher_core*> drop_routes(int signum);
  void take_over(int signum, bool anew);
  bool give_back(int signum);

  std::mutex mutex_;
  std::condition_variable call_ended_;
  std::array<entry, in_handler::mailbox::signals> table_;
  std::atomic<std::uint64_t> last_id_{slot_id};
  std::deque<struct sigaction> kept_;     // what shared.previous points to; it only grows
  std::deque<in_handler::route> routes_;  // what shared.routes links; it only grows
  std::deque<dispatcher_core> cores_;     // of threads; never freed, used again
  std::vector<dispatcher_core*> adopted_;
  std::vector<dispatcher_core*> idle_;     // for whoever needs one
  dispatcher_core* background_ = nullptr;  // where slots are called instead
  std::atomic<bool> has_adopted_{false};
  bool main_thread_left_ = false;
  std::function<void(std::error_code)> wakeup_reporter_;
};

}  // namespace sigpp::inline v1::detail
