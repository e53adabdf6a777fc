#include "platform/alarm_thread.hpp"

#include <signal.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

#include <sigpp/check.hpp>

#include "in_handler/delivery.hpp"
#include "mask.hpp"

namespace sigpp::inline v1::platform {

namespace {

using std::chrono::steady_clock;

struct alarms {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<alarm_thread::entry*> entries;
  bool started = false;
};

constinit std::atomic<alarms*> made{nullptr};

// Never destroyed: the thread uses it until the process ends.
alarms& all() {
  static alarms& one = []() -> alarms& {
    made = new alarms;
    return *made;
  }();
  return one;
}

}  // namespace

void alarm_thread::entry::ring() noexcept {
  deadline_.reset();
  if (where_ != nullptr) return in_handler::wake(*where_);
  attention_->store(1);
  in_handler::os::ring(thread_);
}

// Every signal is blocked in the thread.
void alarm_thread::entry::list(steady_clock::time_point deadline) {
  alarms& a = all();
  if (!listed_) a.entries.push_back(this);
  listed_ = true;
  deadline_ = deadline;
  if (!a.started) {
    const detail::all_blocked guard;
    std::thread([&a] {
      std::unique_lock running(a.mutex);
      for (;;) {
        auto next = steady_clock::time_point::max();
        for (entry* e : a.entries) {
          if (!e->deadline_) continue;
          if (*e->deadline_ <= steady_clock::now()) {
            e->ring();
          } else {
            next = std::min(next, *e->deadline_);
          }
        }
        if (next == steady_clock::time_point::max()) {
          a.changed.wait(running);
        } else {
          a.changed.wait_until(running, next);
        }
      }
    }).detach();
    a.started = true;
  }
  a.changed.notify_one();
}

void alarm_thread::entry::arm(steady_clock::time_point deadline) {
  const std::lock_guard lock(all().mutex);
  thread_ = in_handler::this_thread();
  attention_ = &detail::attention;
  list(deadline);
}

void alarm_thread::entry::arm(steady_clock::time_point deadline, in_handler::station& where) {
  const std::lock_guard lock(all().mutex);
  if (deadline_ && *deadline_ <= deadline) return;
  where_ = &where;
  list(deadline);
}

void alarm_thread::entry::disarm() noexcept {
  if (!listed_) return;
  listed_ = false;
  alarms& a = all();
  const std::lock_guard lock(a.mutex);
  std::erase(a.entries, this);
  deadline_.reset();
}

void alarm_thread::forget() noexcept {
  alarms* const a = made;
  if (a == nullptr) return;
  new (&a->mutex) std::mutex();
  new (&a->changed) std::condition_variable();
  new (&a->entries) std::vector<entry*>();
  a->started = false;
}

}  // namespace sigpp::inline v1::platform
