// Runs a function over fixed parts of a range, on several threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <exception>
#include <thread>
#include <vector>

namespace wyner {

constexpr int kMaxThreads = 64;

// Calls work(begin, end) for consecutive parts of 0..count-1, one part per thread and kMaxThreads at most.
// Rethrows the exception of the first part that failed.
template <class Work>
void parallel_parts(int count, int threads, Work work) {
  const int parts = std::clamp(threads, 1, std::clamp(count, 1, kMaxThreads));
  const auto edge = [&](int part) { return int(int64_t{count} * part / parts); };
  std::vector<std::exception_ptr> errors(parts);
  const auto run = [&](int part) {
    try {
      work(edge(part), edge(part + 1));
    } catch (...) {
      errors[part] = std::current_exception();
    }
  };
  std::vector<std::thread> pool;
  pool.reserve(parts - 1);
  for (int part = 1; part < parts; ++part) {
    try {
      pool.emplace_back(run, part);
    } catch (const std::exception&) {  // out of threads: do the part here
      run(part);
    }
  }
  run(0);
  for (std::thread& thread : pool) thread.join();
  for (const std::exception_ptr& error : errors)
    if (error) std::rethrow_exception(error);
}

}  // namespace wyner
