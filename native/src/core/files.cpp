#include "core/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "core/status.h"

namespace dk {

namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

// Opened without waiting, so that a pipe is refused and not waited for.
int open_for_reading(const std::string& path, int64_t* bytes) {
  Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) bad_input("%s: can't open: %s", path.c_str(), std::strerror(errno));
  struct stat info {};
  if (fstat(file.get(), &info) != 0) fail(Status::disk, "%s: %s", path.c_str(), std::strerror(errno));
  if (!S_ISREG(info.st_mode)) bad_input("%s: not a regular file", path.c_str());
  *bytes = info.st_size;
  return file.release();
}

}  // namespace

File open_regular(const std::string& path, int64_t* bytes) {
  Descriptor descriptor(open_for_reading(path, bytes));
  File file(fdopen(descriptor.get(), "rb"), std::fclose);
  if (!file) fail(Status::disk, "%s: can't open: %s", path.c_str(), std::strerror(errno));
  descriptor.release();
  return file;
}

std::string read_file(const std::string& path, int64_t max_bytes) {
  int64_t bytes = 0;
  const Descriptor file(open_for_reading(path, &bytes));
  const int fd = file.get();
  if (bytes > max_bytes) {
    bad_input("%s: %lld bytes; at most %lld are read", path.c_str(), (long long)bytes, (long long)max_bytes);
  }
  std::string content(static_cast<size_t>(bytes), '\0');
  size_t done = 0;
  while (done < content.size()) {
    const ssize_t got = read(fd, content.data() + done, content.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(Status::disk, "%s: reading failed: %s", path.c_str(), std::strerror(errno));
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  content.resize(done);
  return content;
}

bool file_exists(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0;
}

std::string parent_folder(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : slash == 0 ? "/" : path.substr(0, slash);
}

std::string join_path(const std::string& folder, const std::string& name) {
  if (folder.empty() || (!name.empty() && name[0] == '/')) return name;
  return folder.back() == '/' ? folder + name : folder + "/" + name;
}

void make_folders(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error && !std::filesystem::is_directory(path))
    fail(Status::disk, "%s: can't make the folder: %s", path.c_str(), error.message().c_str());
}

AtomicFile::AtomicFile(const std::string& path) : path_(path) {
  // The name is kept short and free of the target's: a target of 250 bytes must still work.
  temporary_ =
      join_path(parent_folder(path), strf(".dk-%ld-%lx.tmp", (long)getpid(), (unsigned long)std::hash<std::string>{}(path)));
  fd_ = open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd_ < 0) fail(Status::disk, "%s: can't write: %s", path_.c_str(), std::strerror(errno));
}

AtomicFile::~AtomicFile() { abandon(); }

void AtomicFile::abandon() {
  if (fd_ < 0) return;
  close(fd_);
  fd_ = -1;
  unlink(temporary_.c_str());
}

void AtomicFile::write(const void* data, int64_t bytes) {
  const char* at = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t put = ::write(fd_, at, static_cast<size_t>(bytes));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) {
      const int reason = errno;
      abandon();
      fail(Status::disk, "%s: writing failed: %s", path_.c_str(), std::strerror(reason));
    }
    at += put;
    bytes -= put;
  }
}

void AtomicFile::commit() {
  if (fsync(fd_) != 0 || rename(temporary_.c_str(), path_.c_str()) != 0) {
    const int reason = errno;
    abandon();
    fail(Status::disk, "%s: writing failed: %s", path_.c_str(), std::strerror(reason));
  }
  close(fd_);
  fd_ = -1;
  // The rename itself must survive a power cut, too.
  const std::string folder = parent_folder(path_);
  const int folder_fd = open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder_fd >= 0) {
    fsync(folder_fd);
    close(folder_fd);
  }
}

void write_file_atomically(const std::string& path, std::string_view content) {
  AtomicFile file(path);
  file.write(content.data(), static_cast<int64_t>(content.size()));
  file.commit();
}

}  // namespace dk
