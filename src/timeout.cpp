#include <sigpp/timeout.hpp>

#include <sigpp/check.hpp>

#include "thread_control.hpp"

namespace sigpp::inline v1 {

namespace {
constinit thread_local std::uint64_t last_id = 0;
}

timeout::timeout(std::chrono::steady_clock::time_point deadline)
    : deadline_(deadline), control_(detail::known_control()), id_(++last_id) {
  if (control_ == nullptr) control_ = detail::this_control().get();
  control_->arm(deadline);
  outer_ = control_->innermost();
  control_->set_innermost(this);
}

// The kernel's timer stays armed: it finds nothing that is over.
timeout::~timeout() { control_->set_innermost(outer_); }

}  // namespace sigpp::inline v1
