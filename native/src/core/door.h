// A library of our own that lies beside the program and is opened at run time, because what it needs is not on every machine.
// Both sides come from one build and agree on a version first, so that C++ objects may pass.
#pragma once

#include <cstdint>
#include <string>

namespace dk {

class Door {
 public:
  // version_function: of the library, `int32_t ()`. absent: why there may be no such file.
  Door(const char* library, const char* version_function, int32_t version, const char* absent);

  const std::string& reason() const { return reason_; }  // why it is shut, "" = open

  // Null where the door is shut, which a missing function does, too.
  template <class Function>
  Function look_up(const char* name) {
    return reinterpret_cast<Function>(find(name));
  }

 private:
  void* find(const char* name);

  const std::string library_;
  void* handle_ = nullptr;  // never closed: what the library left running may still need it
  std::string reason_;
};

}  // namespace dk
