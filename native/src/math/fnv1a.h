// FNV-1a in 64 bits (Fowler, Noll and Vo): tells things apart and notices damage, but no malice.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace dk {

class Fnv1a {
 public:
  void add(const void* data, size_t bytes) {
    for (size_t i = 0; i < bytes; ++i) hash_ = (hash_ ^ static_cast<const unsigned char*>(data)[i]) * 0x100000001b3u;
  }
  uint64_t value() const { return hash_; }

 private:
  uint64_t hash_ = 0xcbf29ce484222325u;
};

inline uint64_t fnv1a(std::string_view text) {
  Fnv1a hash;
  hash.add(text.data(), text.size());
  return hash.value();
}

}  // namespace dk
