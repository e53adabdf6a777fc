#include <sigpp/runtime.hpp>

#include "process.hpp"
#include "registry.hpp"

namespace sigpp::inline v1 {

void attach_runtime(void (*tell)()) {
  detail::on_main_thread();  // if it is, its safe points are known from now on
  detail::registry::instance().attach_runtime(tell);
}

}  // namespace sigpp::inline v1
