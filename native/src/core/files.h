// Reading whole files and writing them so that a crash leaves the old or the new content, never a mixture.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

namespace dk {

// The bytes of a regular file. Throws Error(bad_input) when it can't be opened, is no regular file or is over max_bytes;
// Error(disk) when reading fails.
std::string read_file(const std::string& path, int64_t max_bytes);

using File = std::unique_ptr<FILE, int (*)(FILE*)>;

// A regular file to read from, and its size. Throws as read_file does; a pipe is refused, never waited for.
File open_regular(const std::string& path, int64_t* bytes);

bool file_exists(const std::string& path);
std::string parent_folder(const std::string& path);  // "" for a bare name
std::string join_path(const std::string& folder, const std::string& name);
void make_folders(const std::string& path);  // like mkdir -p; Error(disk)

// A file under a temporary name in the same folder: commit() syncs and renames it over the target; without commit()
// the temporary file is removed. Errors name the path and the reason (Error(disk)).
class AtomicFile {
 public:
  explicit AtomicFile(const std::string& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, int64_t bytes);
  void commit();

 private:
  void abandon();

  std::string path_, temporary_;
  int fd_ = -1;
};

void write_file_atomically(const std::string& path, std::string_view content);

}  // namespace dk
