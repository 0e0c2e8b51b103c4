// Encoding and writing beside the work: jobs for the run database, done one after the other by a thread of their own.
// Sees run_store.h.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

#include "engine/evaluation/run_store.h"

namespace blindspot::evaluation {

class StoreWriter {
 public:
  using Job = std::function<void(RunStore&)>;

  /// While this lives nobody else may touch the store. At most `most_waiting` jobs wait.
  StoreWriter(RunStore& store, std::size_t most_waiting);
  StoreWriter(const StoreWriter&) = delete;
  StoreWriter& operator=(const StoreWriter&) = delete;
  /// Does what waits, unless a job has failed; errors are lost here, so call `finish` first.
  ~StoreWriter();

  /// Waits for room. Throws what an earlier job has thrown; later jobs are then left out.
  void add(Job job);
  /// Waits until all is done. Throws what a job has thrown.
  void finish();

 private:
  void work();
  void rethrow();

  RunStore& store_;
  std::size_t most_waiting_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  bool busy_ = false;
  bool ending_ = false;
  std::exception_ptr failure_;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace blindspot::evaluation
