#include "thread_control.hpp"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <new>
#include <system_error>

#include <sigpp/check.hpp>
#include <sigpp/timeout.hpp>

#include "process.hpp"
#include "safe_point.hpp"
#include "storm.hpp"

namespace sigpp::inline v1::detail {

// Never freed. Not local to this file, where the compiler would see that nobody reads it, and a
// leak.
extern constinit std::shared_ptr<thread_control>* main_control;
constinit std::shared_ptr<thread_control>* main_control = nullptr;

namespace {

[[gnu::tls_model("initial-exec")]] constinit thread_local thread_control* known = nullptr;
constinit thread_local bool this_thread_ends = false;

struct control_end {
  std::shared_ptr<thread_control> control;
  control_end() = default;
  ~control_end() {
    storm::end();
    if (control) control->end();
    if (!on_main_thread()) dispatcher_core::end_holding_back();
    // The program's statics may use it until the end.
    if (on_main_thread()) {
      main_control = new (std::nothrow) std::shared_ptr<thread_control>(control);
    }
    known = nullptr;
    this_thread_ends = true;
  }
  control_end(const control_end&) = delete;
  control_end& operator=(const control_end&) = delete;
};

// Destructors of other thread-local objects ask for one after control_end. POSIX destroys what a
// key refers to after them; not when the process ends, and then it is not needed.
const std::shared_ptr<thread_control>& control_for_the_end() {
  static const pthread_key_t key = [] {
    pthread_key_t made{};
    const auto destroy = [](void* late) {
      auto* const control = static_cast<std::shared_ptr<thread_control>*>(late);
      storm::end();
      (*control)->end();
      known = nullptr;
      delete control;
    };
    if (const int error = pthread_key_create(&made, destroy)) {
      throw std::system_error(error, std::generic_category(), "sigpp: pthread_key_create");
    }
    return made;
  }();
  if (auto* const there = static_cast<std::shared_ptr<thread_control>*>(pthread_getspecific(key))) {
    return *there;
  }
  auto* const late = new std::shared_ptr<thread_control>(std::make_shared<thread_control>());
  pthread_setspecific(key, late);
  known = late->get();
  return *late;
}

}  // namespace

const std::shared_ptr<thread_control>& this_control() {
  if (this_thread_ends) return control_for_the_end();
  thread_local control_end own;
  if (own.control == nullptr) {
    prepare_this_thread();
    let_the_doorbell_in();
    own.control = std::make_shared<thread_control>();
    known = own.control.get();
  }
  return own.control;
}

thread_control* known_control() noexcept { return known; }

thread_control::thread_control()
    : process_(getpid()), thread_(in_handler::this_thread()), attention_(&attention) {}

thread_control::request_id thread_control::request(std::function<void()> f) {
  if (process_ != getpid()) return 0;
  const std::lock_guard lock(mutex_);
  if (ended_) return 0;
  requests_.emplace_back(++last_id_, std::move(f));
  any_.store(true);
  attention_->store(1);
  in_handler::os::ring(thread_);  // under the lock: the thread cannot end meanwhile
  return last_id_;
}

void thread_control::take_back(request_id id) {
  std::function<void()> gone;  // destroyed outside the lock: it may be anything
  const std::lock_guard lock(mutex_);
  const auto at = std::find_if(requests_.begin(), requests_.end(),
                               [&](const auto& each) { return each.first == id; });
  if (at == requests_.end()) return;
  gone = std::move(at->second);
  requests_.erase(at);
}

unsigned thread_control::run() {
  unsigned ran = 0;
  while (any_.load()) {
    std::function<void()> next;
    {
      const std::lock_guard lock(mutex_);
      if (requests_.empty()) {
        any_.store(false);
        break;
      }
      next = std::move(requests_.front().second);
      requests_.erase(requests_.begin());
    }
    storm::look_within();
    next();
    ++ran;
  }
  ran += run_watchers();
  if (innermost_ == nullptr) return ran;
  const auto now = std::chrono::steady_clock::now();
  timeout* over = nullptr;  // the outermost one: an inner one's catch must not stop it
  for (timeout* at = innermost_; at != nullptr; at = at->outer_) {
    if (!at->thrown_ && at->deadline_ <= now) over = at;
  }
  if (over == nullptr) return ran;
  over->thrown_ = true;
  throw timed_out(over->id_);
}

unsigned thread_control::run_watchers() {
  unsigned ran = 0;
  const std::vector<watcher*> now = watchers_;
  for (watcher* each : now) {  // which the one before may have removed
    if (std::find(watchers_.begin(), watchers_.end(), each) == watchers_.end()) continue;
    storm::look_within();
    if (each->run()) ++ran;
  }
  return ran;
}

void thread_control::arm(time_point deadline) {
  if (deadline >= armed_) return;
  if (deadline <= std::chrono::steady_clock::now()) {
    attention_->store(1);
    return;
  }
  timer_.arm(deadline);
  armed_ = deadline;
}

void thread_control::forget_what_has_fired() {
  if (armed_ != time_point::max() && armed_ <= std::chrono::steady_clock::now()) {
    armed_ = time_point::max();
  }
}

// Those that are over are for run().
void thread_control::arm_for_the_next() {
  const auto now = std::chrono::steady_clock::now();
  auto next = earliest_timer_here();
  if (next <= now) attention_->store(1);
  for (timeout* at = innermost_; at != nullptr; at = at->outer_) {
    if (at->deadline_ > now) next = std::min(next, at->deadline_);
  }
  if (next > now) arm(next);
}

void thread_control::end() noexcept {
  for (watcher* each : std::exchange(watchers_, {})) each->thread_ends();
  decltype(requests_) gone;  // destroyed outside the lock
  const std::lock_guard lock(mutex_);
  ended_ = true;
  gone.swap(requests_);
  timer_.end();
}

bool thread_control::has_something(time_point now) const {
  if (any_.load()) return true;
  for (watcher* each : watchers_) {
    if (each->has_something()) return true;
  }
  for (const timeout* at = innermost_; at != nullptr; at = at->outer_) {
    if (!at->thrown_ && at->deadline_ <= now) return true;
  }
  return false;
}

void thread_control::after_fork_in_child() noexcept {
  // Another thread of the parent may have been changing them; and what they destroy may be
  // anything.
  new (&mutex_) std::mutex();
  new (&requests_) decltype(requests_)();
  process_ = getpid();
  any_.store(false);
  thread_ = in_handler::this_thread();
  timer_.forget();
  armed_ = time_point::max();
  for (watcher* each : watchers_) each->after_fork();
  attention_->store(1);  // to arm it again
}

}  // namespace sigpp::inline v1::detail
