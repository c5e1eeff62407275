// `detector train`: the processes that share it, options, the run's lock, the two ways to stop it (a signal, a file), the
// listener.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>
#include <thread>

#include "backend/precision.h"
#include "commands.h"
#include "core/files.h"
#include "core/status.h"
#include "data/data_file.h"
#include "data/names_file.h"
#include "listeners.h"
#include "model/network_def.h"
#include "parallel/launch.h"
#include "train/trainer.h"

namespace dk {
namespace {

StopRequest stop_request;
std::atomic<int> stop_signal{0};

void on_signal(int number) {
  if (stop_signal.exchange(number) != 0) _exit(128 + number);                // the second one ends it at once
  stop_request.requested() ? stop_request.hurry() : stop_request.request();  // the stop file may have asked before
}

void catch_signals() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);  // whoever started the training may be gone; it goes on
}

// Holds DIR/run.lock while it lives; the kernel lets go of it even when the process is killed.
class RunLock {
 public:
  explicit RunLock(const std::string& folder) {
    if (folder.empty()) return;
    const std::string path = join_path(folder, "run.lock");
    fd_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd_ < 0) fail(Status::disk, "%s: can't write: %s", path.c_str(), std::strerror(errno));
    // Somebody may be looking whether a training runs, which takes the lock for a moment.
    for (int tries = 20; flock(fd_, LOCK_EX | LOCK_NB) != 0; --tries) {
      if (tries == 0) bad_input("%s: a training already runs in this folder", path.c_str());
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    const std::string pid = std::to_string(getpid()) + "\n";
    if (ftruncate(fd_, 0) != 0 || write(fd_, pid.data(), pid.size()) != static_cast<ssize_t>(pid.size())) {
      fail(Status::disk, "%s: can't write: %s", path.c_str(), std::strerror(errno));
    }
  }
  ~RunLock() {
    if (fd_ >= 0) close(fd_);
  }
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

 private:
  int fd_ = -1;
};

// Looks for the stop file and for signals, and answers at once: the trainer itself may be busy with a mini-batch.
class StopWatcher {
 public:
  StopWatcher(std::string file, TrainListener& listener)
      : file_(std::move(file)), listener_(listener), thread_([this] { watch(); }) {}
  ~StopWatcher() {
    done_.store(true);
    thread_.join();
  }
  StopWatcher(const StopWatcher&) = delete;
  StopWatcher& operator=(const StopWatcher&) = delete;

 private:
  void watch() {
    bool answered = false;
    while (!done_.load()) {
      if (!file_.empty() && file_exists(file_)) stop_request.request();
      if (stop_request.requested() && !stop_request.hurried() && says_now()) stop_request.hurry();
      if (stop_request.requested() && !answered) {
        listener_.log(LogLevel::info, "stopping: the state is being written");
        answered = true;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }

  // The file's first word: nothing is to be waited for but the checkpoint.
  bool says_now() const {
    const std::unique_ptr<FILE, int (*)(FILE*)> file(file_.empty() ? nullptr : std::fopen(file_.c_str(), "re"), std::fclose);
    char word[4] = {};
    return file && std::fscanf(file.get(), "%3s", word) == 1 && std::strcmp(word, "now") == 0;
  }

  const std::string file_;
  TrainListener& listener_;
  std::atomic<bool> done_{false};
  std::thread thread_;
};

// auto, or a number that goes before the cfg's.
void read_subdivisions(Arguments& args, TrainOptions* options) {
  const std::string value = args.text("subdivisions", "");
  if (value.empty()) return;
  options->auto_subdivisions = value == "auto";
  if (options->auto_subdivisions) return;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), options->subdivisions);
  if (error != std::errc() || end != value.data() + value.size() || options->subdivisions < 1) {
    bad_input("-subdivisions %s: auto or a whole number", value.c_str());
  }
}

TrainOptions read_options(Arguments& args) {
  TrainOptions options;
  options.device = args.text("device", "auto");
  options.threads = static_cast<int>(args.integer("threads", 0, 1, 1024));
  options.precision = parse_precision("-precision", args.text("precision", "auto"));
  options.seed = static_cast<uint64_t>(args.integer("seed", 1, 0, INT64_MAX));
  options.deterministic = args.flag("deterministic");
  args.flag("dont_show");  // there is no window to leave out
  options.clear = args.flag("clear");
  options.resume = args.flag("resume");
  options.map = args.flag("map");
  options.map_epochs = static_cast<int>(args.integer("mAP_epochs", 4, 1, 100000));
  options.iou_thresh = static_cast<float>(args.number("iou_thresh", 0.5));
  options.thresh = static_cast<float>(args.number("thresh", 0.25));
  options.points = static_cast<int>(args.integer("points", 0, 0, 101));
  options.steps = args.integer("steps", 0, 1, 1 << 30);
  options.memory_bytes = args.integer("memory", 0, 1, int64_t{1} << 40) * 1000000;
  options.loader_threads = static_cast<int>(args.integer("loader-threads", 0, 1, 256));
  options.samples = static_cast<int>(args.integer("samples", 4, 0, 100));
  options.sample_list = args.text("sample-list", "");
  options.sample_every = args.integer("sample-every", 0, 1, 1 << 30);
  read_subdivisions(args, &options);
  return options;
}

// The part of the first process is also to hold the lock, to look for the stop file and to talk.
bool train_among(Communicator& processes, Arguments& args) {
  TrainOptions options = read_options(args);
  const bool json = args.flag("json"), first = processes.first();
  const std::string run_dir = args.text("run-dir", "");
  const std::string stop_file = args.text("stop-file", run_dir.empty() ? "" : join_path(run_dir, "stop"));
  options.data_path = args.word(0, "the .data file");
  options.cfg_path = args.word(1, "the .cfg file");
  options.weights_path = args.word_or(2, "");
  if (args.words().size() > 3) bad_input("'%s' is one word too many", args.words()[3].c_str());

  const RunLock lock(first ? run_dir : "");
  const DataFile data = read_data_file(options.data_path);
  std::vector<std::string> names;
  if (!data.names.empty()) names = read_names(resolve_path(data.names, options.data_path));
  const int classes = load_network_def(options.cfg_path).classes();
  if (!names.empty() && static_cast<int>(names.size()) != classes) {
    bad_input("%s has %zu names, %s has classes=%d", data.names.c_str(), names.size(), options.cfg_path.c_str(), classes);
  }
  catch_signals();
  const std::unique_ptr<TrainListener> listener = !first ? make_other_listener(processes.place().rank)
                                                  : json ? make_json_listener(names)
                                                         : make_darknet_listener(names);
  const StopWatcher watcher(first ? stop_file : "", *listener);
  const bool finished = train(options, *listener, stop_request, processes);
  processes.leave();
  return finished;
}

// What ends this process ends the others. The first one says it, unless it can't any more.
int end_all(Communicator& processes, Status status, const std::string& text) {
  const bool first_knows = processes.fail(status, text);
  if (processes.first()) throw Error(status, text);
  if (!first_knows) std::fprintf(stderr, "error: %s\n", text.c_str());
  return static_cast<int>(status);
}

std::unique_ptr<Communicator> join() {
  try {
    return join_launched();
  } catch (const Error&) {
    if (launched_rank() == 0) throw;
    return nullptr;  // said once
  }
}

}  // namespace

// A run that was stopped has an exit code of its own, by the first process: launchers end all when any other one fails.
int command_train(Arguments& args) {
  const std::unique_ptr<Communicator> processes = join();
  if (!processes) return static_cast<int>(Status::device);
  try {
    return train_among(*processes, args) || !processes->first() ? 0 : static_cast<int>(Status::stopped);
  } catch (const Error& e) { return end_all(*processes, e.status(), e.what()); } catch (const std::bad_alloc&) {
    return end_all(*processes, Status::memory, "out of memory; smaller mini-batches (subdivisions) or a smaller input need less");
  } catch (const std::exception& e) { return end_all(*processes, Status::internal, e.what()); }
}

}  // namespace dk
