// Implementation of store_writer.h.
#include "engine/evaluation/store_writer.h"

#include <utility>

namespace blindspot::evaluation {

StoreWriter::StoreWriter(RunStore& store, std::size_t most_waiting)
    : store_(store), most_waiting_(most_waiting), thread_([this] { work(); }) {}

StoreWriter::~StoreWriter() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void StoreWriter::add(Job job) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return failure_ != nullptr || jobs_.size() < most_waiting_; });
  rethrow();
  jobs_.push_back(std::move(job));
  changed_.notify_all();
}

void StoreWriter::finish() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return failure_ != nullptr || (jobs_.empty() && !busy_); });
  rethrow();
}

void StoreWriter::rethrow() {
  if (failure_) std::rethrow_exception(failure_);
}

void StoreWriter::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return ending_ || !jobs_.empty(); });
    if (jobs_.empty() || failure_) return;
    const Job job = std::move(jobs_.front());
    jobs_.pop_front();
    busy_ = true;
    lock.unlock();
    std::exception_ptr failure;
    try {
      job(store_);
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    busy_ = false;
    failure_ = failure;
    changed_.notify_all();
    if (failure_) return;
  }
}

}  // namespace blindspot::evaluation
