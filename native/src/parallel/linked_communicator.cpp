// A Communicator over a Link. One thread of its own makes all transfers, in the order in which they were asked for: so sums go
// on while the trainer computes, a process that waits for others sleeps in between instead of keeping a core busy as MPI's own
// calls do, and a failure is heard while something is waited for.
#include <sys/prctl.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "parallel/communicator.h"
#include "parallel/peer_watch.h"

namespace dk {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr auto kLookAround = milliseconds(5);   // between two looks for failures
constexpr auto kDelivery = milliseconds(1000);  // for the words of a failure; who is alive hears them at once
constexpr auto kFarewell = milliseconds(1500);  // the first process prints why the run ends before launchers end it
constexpr int64_t kLargestTransfer = int64_t{64} << 20;

// Waiting that is quick where the others are about to come, and cheap where they are not.
class Patience {
 public:
  void pause() {
    const auto waited = Clock::now() - begin_;
    if (waited < microseconds(100)) {
      std::this_thread::yield();
    } else {
      std::this_thread::sleep_for(waited < milliseconds(100) ? microseconds(20) : microseconds(500));
    }
  }

 private:
  const Clock::time_point begin_ = Clock::now();
};

// Only to leave a transfer that nobody will complete any more.
struct GivenUp {};

class LinkedCommunicator final : public Communicator {
 public:
  explicit LinkedCommunicator(const std::function<std::unique_ptr<Link>()>& open) : open_(open) {
    thread_ = std::thread([this] { work(); });
    try {
      ask([this] { introduce(); });
    } catch (...) {
      end();
      throw;
    }
  }
  ~LinkedCommunicator() override { end(); }
  LinkedCommunicator(const LinkedCommunicator&) = delete;
  LinkedCommunicator& operator=(const LinkedCommunicator&) = delete;

  const Place& place() const override { return place_; }

  void start_sum(float* data, int64_t count) override {
    const int64_t largest = kLargestTransfer / int64_t{sizeof(float)};
    for (int64_t at = 0; at < count; at += largest)
      post([this, part = data + at, floats = std::min(largest, count - at)] { sum(part, floats); });
  }
  void finish_sums() override {
    ask([] {});
  }

  void gather(const void* mine, int64_t bytes, void* all) override {
    ask([&] {
      char* const place = static_cast<char*>(all) + place_.rank * bytes;
      std::memcpy(place, mine, static_cast<size_t>(bytes));
      link_->start_gather(std::vector<int64_t>(static_cast<size_t>(place_.size), bytes), static_cast<char*>(all));
      complete();
    });
  }
  void broadcast(void* data, int64_t bytes) override {
    ask([&] {
      for (int64_t at = 0; at < bytes; at += kLargestTransfer) {
        link_->start_broadcast(static_cast<char*>(data) + at, std::min(kLargestTransfer, bytes - at));
        complete();
      }
    });
  }

  void check() override {
    const std::lock_guard<std::mutex> hold(mutex_);
    if (failure_) std::rethrow_exception(failure_);
  }

  bool fail(Status status, const std::string& text) noexcept override {
    try {
      std::unique_lock<std::mutex> hold(mutex_);
      if (place_.rank == 0) first_knows_ = true;
      if (!told_) shout_ = std::to_string(static_cast<int>(status)) + " " + text;
      failing_ = true;
      changed_.notify_all();
      changed_.wait_for(hold, 2 * kDelivery + kFarewell, [this] { return farewell_; });
      return first_knows_;
    } catch (...) { return false; }  // the others notice when this process has ended
  }

  void leave() override {
    any(false);  // polite waiting; MPI's own end would keep a core busy
    ask([this] {
      link_->leave();
      link_.reset();
    });
  }

 private:
  // --- the caller's side ---

  void post(std::function<void()> job) {
    const std::lock_guard<std::mutex> hold(mutex_);
    if (failure_) std::rethrow_exception(failure_);
    jobs_.push_back(std::move(job));
    ++asked_;
    changed_.notify_all();
  }

  // Returns when the job, and so all before it, is done.
  void ask(std::function<void()> job) {
    post(std::move(job));
    std::unique_lock<std::mutex> hold(mutex_);
    changed_.wait(hold, [this, mine = asked_] { return failure_ || done_ >= mine; });
    if (failure_) std::rethrow_exception(failure_);
  }

  void end() {
    {
      const std::lock_guard<std::mutex> hold(mutex_);
      ending_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

  // --- the thread's side ---

  void work() {
    prctl(PR_SET_TIMERSLACK, 1000UL);  // short sleeps are short
    std::unique_lock<std::mutex> hold(mutex_);
    while (!ending_) {
      if (failing_) {
        if (!farewell_) say_farewell(hold);
        changed_.wait(hold, [this] { return ending_; });
      } else if (failure_ || jobs_.empty()) {
        changed_.wait_for(hold, 4 * kLookAround, [this] { return ending_ || failing_ || (!failure_ && !jobs_.empty()); });
        guarded(hold, [this] { look_around(); });
      } else {
        const std::function<void()> job = std::move(jobs_.front());
        jobs_.pop_front();
        guarded(hold, job);
        ++done_;
        changed_.notify_all();
      }
    }
    hold.unlock();
    link_.reset();
  }

  // Runs without the lock; what is thrown becomes the failure of this and all further calls.
  void guarded(std::unique_lock<std::mutex>& hold, const std::function<void()>& action) {
    std::exception_ptr thrown;
    hold.unlock();
    try {
      action();
    } catch (const GivenUp&) {
    } catch (...) { thrown = std::current_exception(); }
    hold.lock();
    if (thrown && !failure_) failure_ = thrown;
    if (thrown) changed_.notify_all();
  }

  void introduce() {
    link_ = open_();
    place_ = link_->place();
    std::vector<PeerName> names(static_cast<size_t>(place_.size));
    names[static_cast<size_t>(place_.rank)] = own_name();
    link_->start_gather(std::vector<int64_t>(names.size(), sizeof(PeerName)), reinterpret_cast<char*>(names.data()));
    complete();
    watch_ = std::make_unique<PeerWatch>(names, place_.rank);
  }

  void complete() {
    Patience patience;
    while (!link_->done()) {
      look_around();
      patience.pause();
    }
  }

  // Throws what ended another process, GivenUp when this one fails itself.
  void look_around() {
    if (!link_ || Clock::now() - looked_ < kLookAround) return;
    looked_ = Clock::now();
    {
      const std::lock_guard<std::mutex> hold(mutex_);
      if (failing_ || ending_) throw GivenUp();
      if (failure_) return;
    }
    int from = 0;
    std::string text;
    if (link_->hear(&from, &text)) {
      {
        const std::lock_guard<std::mutex> hold(mutex_);
        told_ = true;
        first_knows_ = true;
      }
      char* end = nullptr;
      const long status = std::strtol(text.c_str(), &end, 10);
      throw Error(static_cast<Status>(status), strf("process %d of %d: %s", from, place_.size, *end == ' ' ? end + 1 : end));
    }
    const int dead = watch_ ? watch_->dead() : -1;
    if (dead >= 0) {
      dk::fail(Status::device, "process %d of %d (pid %lld) has ended; the training can't go on without it", dead, place_.size,
               static_cast<long long>(watch_->pid(dead)));
    }
  }

  // The parts of all processes added up here for one part, and handed to all.
  void sum(float* data, int64_t count) {
    const size_t size = static_cast<size_t>(place_.size);
    std::vector<int64_t> floats(size), bytes(size);
    int64_t first = 0;
    for (size_t i = 0; i < size; ++i) {
      floats[i] = count / place_.size + (static_cast<int64_t>(i) < count % place_.size ? 1 : 0);
      bytes[i] = floats[i] * int64_t{sizeof(float)};
      if (static_cast<int>(i) < place_.rank) first += floats[i];
    }
    const int64_t mine = floats[static_cast<size_t>(place_.rank)];
    received_.resize(size * static_cast<size_t>(mine));
    link_->start_transpose(reinterpret_cast<const char*>(data), bytes, reinterpret_cast<char*>(received_.data()));
    complete();
    float* const own = data + first;
    std::copy_n(received_.data(), mine, own);
    for (size_t other = 1; other < size; ++other) {
      const float* const part = received_.data() + other * static_cast<size_t>(mine);
      for (int64_t i = 0; i < mine; ++i) own[i] += part[i];
    }
    link_->start_gather(bytes, reinterpret_cast<char*>(data));
    complete();
  }

  // Tells the others, who may be anywhere. The first process must have printed the reason before any other ends, because
  // launchers end the rest of a job with its first failure.
  void say_farewell(std::unique_lock<std::mutex>& hold) {
    const std::string text = std::exchange(shout_, "");
    bool delivered = false;
    hold.unlock();
    try {
      if (link_ && !text.empty()) {
        std::vector<int> others;
        for (int rank = 0; rank < place_.size; ++rank)
          if (rank != place_.rank && !(watch_ && watch_->ended(rank))) others.push_back(rank);
        link_->start_message(text, others);
        const Clock::time_point begin = Clock::now();
        bool all_know = false, first_failed = false;
        while (!(all_know = link_->message_delivered()) && !first_failed && Clock::now() - begin < kDelivery) {
          int from = 0;
          std::string theirs;
          first_failed = link_->hear(&from, &theirs) && from == 0;  // at the same time as this one, and has said so
          std::this_thread::sleep_for(milliseconds(1));
        }
        delivered = first_failed || (all_know && std::find(others.begin(), others.end(), 0) != others.end());
      }
      const Clock::time_point begin = Clock::now();
      while (place_.rank != 0 && watch_ && !watch_->ended(0) && Clock::now() - begin < kFarewell)
        std::this_thread::sleep_for(milliseconds(5));
    } catch (...) {  // as in fail()
    }
    hold.lock();
    if (delivered) first_knows_ = true;
    farewell_ = true;
    changed_.notify_all();
  }

  const std::function<std::unique_ptr<Link>()> open_;
  Place place_;

  // Of the thread.
  std::unique_ptr<Link> link_;
  std::unique_ptr<PeerWatch> watch_;
  std::vector<float> received_;
  Clock::time_point looked_{};

  std::mutex mutex_;  // guards everything below
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_;
  int64_t asked_ = 0, done_ = 0;
  std::exception_ptr failure_;
  std::string shout_;
  bool failing_ = false, told_ = false, first_knows_ = false, farewell_ = false, ending_ = false;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<Communicator> make_communicator(const std::function<std::unique_ptr<Link>()>& open) {
  return std::make_unique<LinkedCommunicator>(open);
}

}  // namespace dk
