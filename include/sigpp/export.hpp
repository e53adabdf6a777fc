// What the shared library exports; everything else in it is hidden.
#pragma once

#define SIGPP_EXPORT [[gnu::visibility("default")]]
