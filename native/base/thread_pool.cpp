#include "base/thread_pool.h"

#include <utility>

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace wyner {

namespace {

// Denormals in Adam's moments would slow the fit a hundredfold and mean nothing.
struct FlushDenormals {
#if defined(__SSE__)
  unsigned saved = _mm_getcsr();
  FlushDenormals() { _mm_setcsr(saved | 0x8040); }
  ~FlushDenormals() { _mm_setcsr(saved); }
#endif
};

// Phases of a fitting step follow within microseconds, so waiting threads spin; but on a busy machine the one
// waited for may not be running, so they soon offer their processor, and at last sleep.
constexpr int kSpins = 1000, kYields = 1000;

void linger(int i) {
  if (i >= kSpins) std::this_thread::yield();
#if defined(__SSE__)
  else _mm_pause();
#endif
}

}  // namespace

ThreadPool::ThreadPool(int threads) {
  workers_.reserve(threads - 1);
  try {
    for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i] { work(i); });
  } catch (const std::exception&) {  // the system gives no more of them: fewer do the same work
  }
}

ThreadPool::~ThreadPool() {
  stop_ = true;
  generation_.fetch_add(1);
  generation_.notify_all();
  for (auto& worker : workers_) worker.join();
}

void ThreadPool::drain(int thread) {
  FlushDenormals guard;
  for (int i = next_.fetch_add(1); i < count_; i = next_.fetch_add(1)) {
    try {
      (*task_)(i, thread);
    } catch (...) {
      failed(i, std::current_exception());
    }
  }
}

void ThreadPool::failed(int index, std::exception_ptr error) {
  const std::lock_guard lock(mutex_);
  if (error_ && failed_index_ < index) return;
  failed_index_ = index;
  error_ = std::move(error);
}

void ThreadPool::work(int thread) {
  uint32_t seen = 0;
  for (;;) {
    for (int i = 0; i < kSpins + kYields && generation_.load() == seen; ++i) linger(i);
    generation_.wait(seen);
    seen = generation_.load();
    if (stop_) return;
    drain(thread);
    if (busy_.fetch_sub(1) == 1) busy_.notify_one();
  }
}

void ThreadPool::run(int count, const std::function<void(int, int)>& task) {
  task_ = &task;
  count_ = count;
  next_ = 0;
  const bool alone = workers_.empty() || count <= 1;
  if (!alone) {
    busy_ = int(workers_.size());
    generation_.fetch_add(1);
    generation_.notify_all();
  }
  drain(0);
  for (int left = busy_.load(), i = 0; left; left = busy_.load()) {
    if (++i < kSpins + kYields) linger(i);
    else busy_.wait(left);
  }
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

}  // namespace wyner
