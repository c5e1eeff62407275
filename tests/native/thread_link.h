// Several "processes" of a training as threads of a test: a Link whose transfers go through memory that all of them share.
#pragma once

#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "parallel/communicator.h"

// What the links of one group have in common. Transfer number k of each process meets transfer number k of the others; it is done
// when all have started it.
class ThreadGroup {
 public:
  explicit ThreadGroup(int size) : size_(size), messages_(static_cast<size_t>(size)) {}

  // fn(rank, communicator) in a thread each; what one throws goes to the others as a failure, and all of it is returned.
  std::vector<std::exception_ptr> run(const std::function<void(int, dk::Communicator&)>& fn) {
    std::vector<std::exception_ptr> thrown(static_cast<size_t>(size_));
    std::vector<std::thread> threads;
    for (int rank = 0; rank < size_; ++rank)
      threads.emplace_back([&, rank] {
        const std::unique_ptr<dk::Communicator> all = dk::make_communicator([this, rank] { return link(rank); });
        try {
          fn(rank, *all);
          all->leave();
        } catch (const dk::Error& e) {
          all->fail(e.status(), e.what());
          thrown[static_cast<size_t>(rank)] = std::current_exception();
        }
      });
    for (std::thread& thread : threads) thread.join();
    return thrown;
  }

  std::unique_ptr<dk::Link> link(int rank) { return std::make_unique<ThreadLink>(*this, rank); }

 private:
  using Bytes = std::vector<std::vector<char>>;  // part for each process

  struct Transfer {
    std::vector<Bytes> sent;
    int arrived = 0;
  };

  class ThreadLink final : public dk::Link {
   public:
    ThreadLink(ThreadGroup& group, int rank) : group_(group), rank_(rank) {}
    dk::Place place() const override { return {rank_, group_.size_, rank_, group_.size_}; }

    void start_transpose(const char* send, const std::vector<int64_t>& parts, char* receive) override {
      Bytes bytes;
      for (int64_t part : parts) {
        bytes.emplace_back(send, send + part);
        send += part;
      }
      start(std::move(bytes), receive);
    }
    void start_gather(const std::vector<int64_t>& parts, char* data) override {
      const char* own = data;
      for (int i = 0; i < rank_; ++i) own += parts[static_cast<size_t>(i)];
      start(Bytes(parts.size(), std::vector<char>(own, own + parts[static_cast<size_t>(rank_)])), data);
    }
    void start_broadcast(char* data, int64_t bytes) override {
      start(Bytes(static_cast<size_t>(group_.size_), std::vector<char>(data, data + (rank_ == 0 ? bytes : 0))), data);
    }
    bool done() override {
      const std::lock_guard<std::mutex> hold(group_.mutex_);
      Transfer& transfer = *group_.transfers_[next_ - 1];
      if (transfer.arrived < group_.size_) return false;
      for (const Bytes& of_one : transfer.sent) {
        const std::vector<char>& part = of_one[static_cast<size_t>(rank_)];
        if (!part.empty()) std::memcpy(receive_, part.data(), part.size());
        receive_ += part.size();
      }
      return true;
    }

    void start_message(const std::string& text, const std::vector<int>& to) override {
      const std::lock_guard<std::mutex> hold(group_.mutex_);
      for (int rank : to) group_.messages_[static_cast<size_t>(rank)].emplace_back(rank_, text);
    }
    bool message_delivered() override { return true; }
    bool hear(int* from, std::string* text) override {
      const std::lock_guard<std::mutex> hold(group_.mutex_);
      auto& waiting = group_.messages_[static_cast<size_t>(rank_)];
      if (waiting.empty()) return false;
      *from = waiting.front().first, *text = waiting.front().second;
      waiting.erase(waiting.begin());
      return true;
    }
    void leave() override {}

   private:
    void start(Bytes bytes, char* receive) {
      const std::lock_guard<std::mutex> hold(group_.mutex_);
      receive_ = receive;
      if (group_.transfers_.size() == next_) {
        group_.transfers_.push_back(std::make_unique<Transfer>());
        group_.transfers_.back()->sent.resize(static_cast<size_t>(group_.size_));
      }
      Transfer& transfer = *group_.transfers_[next_++];
      transfer.sent[static_cast<size_t>(rank_)] = std::move(bytes);
      ++transfer.arrived;
    }

    ThreadGroup& group_;
    const int rank_;
    size_t next_ = 0;
    char* receive_ = nullptr;
  };

  const int size_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Transfer>> transfers_;
  std::vector<std::vector<std::pair<int, std::string>>> messages_;
};
