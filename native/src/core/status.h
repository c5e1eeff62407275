// Status codes and the one exception type of the engine. The codes are also the exit codes of the program
// `darknet` (docs/protocol.md) and the return values of the C ABI. Exceptions never leave the library: the
// C ABI (api/api_guard.h) and tools/darknet.cpp turn them into a status and a message.
#pragma once

#include <cstdarg>
#include <stdexcept>
#include <string>

namespace dk {

enum class Status : int {
  ok = 0,
  stopped = 3,     // stopped on request
  bad_input = 10,  // a file or an argument is wrong; the message names file, line or layer
  device = 11,     // the asked-for device can't be used
  memory = 12,     // the plan does not fit the memory given
  disk = 13,       // reading or writing failed
  internal = 70,   // a bug
};

class Error : public std::runtime_error {
 public:
  Error(Status status, const std::string& message) : std::runtime_error(message), status_(status) {}
  Status status() const { return status_; }

 private:
  Status status_;
};

// printf-style formatting into a std::string.
std::string strf(const char* format, ...) __attribute__((format(printf, 1, 2)));

// Throws Error(status, strf(...)).
[[noreturn]] void fail(Status status, const char* format, ...) __attribute__((format(printf, 2, 3)));

// Throws Error(bad_input, ...): the common case.
[[noreturn]] void bad_input(const char* format, ...) __attribute__((format(printf, 1, 2)));

// An invariant of the engine itself; a failure is a bug and says where.
#define DK_ASSERT(condition)                                                                           \
  do {                                                                                                 \
    if (!(condition)) ::dk::fail(::dk::Status::internal, "%s:%d: %s", __FILE__, __LINE__, #condition); \
  } while (0)

}  // namespace dk
