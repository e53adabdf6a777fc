#include <sigpp/timeout.hpp>

#include <sigpp/check.hpp>

#include "thread_control.hpp"

namespace sigpp::inline v1 {

namespace {
constinit thread_local std::uint64_t last_id = 0;
}

timeout::timeout(std::chrono::steady_clock::time_point deadline)
    : deadline_(deadline), outer_(nullptr), id_(++last_id) {
  detail::thread_control* control = detail::known_control();
  if (control == nullptr) control = detail::this_control().get();
  control->arm(deadline);
  outer_ = control->innermost();
  control->set_innermost(this);
}

// The kernel's timer stays armed: it finds nothing that is over.
timeout::~timeout() { detail::known_control()->set_innermost(outer_); }

}  // namespace sigpp::inline v1
