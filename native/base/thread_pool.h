// A pool of threads that runs numbered tasks. Tasks write to places of their own, so results do not depend on
// how many threads there are.
#pragma once

#include <atomic>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace wyner {

class ThreadPool {
 public:
  // threads >= 1, the caller counted in; there are fewer where the system gives no more.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return int(workers_.size()) + 1; }

  // Calls task(index, thread) for index in [0, count), thread in [0, threads()); returns when all are done, or then
  // rethrows the exception of the first task, by index, that failed.
  void run(int count, const std::function<void(int, int)>& task);

 private:
  void work(int thread);
  void drain(int thread);
  void failed(int index, std::exception_ptr error);

  std::vector<std::thread> workers_;
  const std::function<void(int, int)>* task_ = nullptr;
  int count_ = 0;
  std::atomic<int> next_{0};
  std::atomic<int> busy_{0};
  std::atomic<uint32_t> generation_{0};
  std::atomic<bool> stop_{false};
  std::mutex mutex_;  // of what follows
  int failed_index_ = 0;
  std::exception_ptr error_;
};

}  // namespace wyner
