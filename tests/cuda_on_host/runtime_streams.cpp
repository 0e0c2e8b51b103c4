// Streams, events, capture and graphs. A stream does its work at once, or records it while it is captured; a graph is
// the recorded closures in their order.
#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "runtime_state.h"

using cuda_on_host::answer;
using cuda_on_host::refuse_in_capture;
using cuda_on_host::state;
using cuda_on_host::Work;

// NOLINTBEGIN(readability-identifier-naming): the names are CUDA's.
struct CUstream_st {
  cudaStreamCaptureStatus capture = cudaStreamCaptureStatusNone;
  cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
  std::vector<Work> recorded;
  int device = 0;
};
struct CUevent_st {
  bool timed = true, recorded = false;
  std::chrono::steady_clock::time_point at;
};
struct CUgraph_st {
  std::vector<Work> work;
};
struct CUgraphExec_st {
  std::vector<Work> work;
};
// NOLINTEND(readability-identifier-naming)

namespace {

bool is_capturing(cudaStream_t stream) {
  return stream != nullptr && stream->capture != cudaStreamCaptureStatusNone;
}

cudaError_t synchronise(cudaStream_t stream) {
  if (!is_capturing(stream)) return cudaSuccess;
  stream->capture = cudaStreamCaptureStatusInvalidated;
  return cudaErrorStreamCaptureUnsupported;
}

}  // namespace

cudaError_t cuda_on_host::refuse_in_capture() {
  cudaError_t status = cudaSuccess;
  for (const cudaStream_t stream : state().captures) {
    if (stream->mode == cudaStreamCaptureModeRelaxed) continue;
    stream->capture = cudaStreamCaptureStatusInvalidated;
    status = cudaErrorStreamCaptureUnsupported;
  }
  return status;
}

cudaError_t cuda_on_host::enqueue(cudaStream_t stream, Work work) {
  return answer([&] {
    if (stream != nullptr && stream->device != current_device()) return cudaErrorInvalidResourceHandle;
    if (!is_capturing(stream)) return work();
    if (stream->capture == cudaStreamCaptureStatusInvalidated) return cudaErrorStreamCaptureInvalidated;
    stream->recorded.push_back(std::move(work));
    return cudaSuccess;
  });
}

cudaError_t cudaStreamCreate(cudaStream_t* stream) {
  return cudaStreamCreateWithFlags(stream, cudaStreamDefault);
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  return answer([&] {
    auto created = std::make_unique<CUstream_st>();
    created->device = cuda_on_host::current_device();
    *stream = created.release();
    return cudaSuccess;
  });
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  // Even of a lost device, lest the stream leak.
  const std::unique_ptr<CUstream_st> owned(stream);
  const std::lock_guard lock(state().mutex);
  std::erase(state().captures, stream);
  return stream == nullptr ? cudaErrorInvalidResourceHandle : state().lost;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  return answer([&] { return synchronise(stream); });
}
cudaError_t cudaStreamQuery(cudaStream_t stream) {
  return cudaStreamSynchronize(stream);
}
cudaError_t cudaDeviceSynchronize() {
  return answer(refuse_in_capture);
}
cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned) {
  return answer([] { return cudaSuccess; });
}

cudaError_t cudaEventCreate(cudaEvent_t* event) {
  return cudaEventCreateWithFlags(event, cudaEventDefault);
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  return answer([&] {
    auto created = std::make_unique<CUevent_st>();
    created->timed = (flags & cudaEventDisableTiming) == 0;
    *event = created.release();
    return cudaSuccess;
  });
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  const std::unique_ptr<CUevent_st> owned(event);
  return event == nullptr ? cudaErrorInvalidResourceHandle : state().lost;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  return cuda_on_host::enqueue(stream, [event] {
    event->at = std::chrono::steady_clock::now();
    event->recorded = true;
    return cudaSuccess;
  });
}
cudaError_t cudaEventSynchronize(cudaEvent_t) {
  return answer(refuse_in_capture);
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
  return cudaEventSynchronize(event);
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  return answer([&] {
    if (!start->timed || !end->timed || !start->recorded || !end->recorded) return cudaErrorInvalidResourceHandle;
    *milliseconds = std::chrono::duration<float, std::milli>(end->at - start->at).count();
    return cudaSuccess;
  });
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  return answer([&] {
    // The default stream cannot be captured, nor one twice.
    if (stream == nullptr) return cudaErrorStreamCaptureUnsupported;
    if (is_capturing(stream)) return cudaErrorInvalidValue;
    stream->capture = cudaStreamCaptureStatusActive;
    stream->mode = mode;
    stream->recorded.clear();
    state().captures.push_back(stream);
    return cudaSuccess;
  });
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  return answer([&] {
    *graph = nullptr;
    if (!is_capturing(stream)) return cudaErrorStreamCaptureUnmatched;
    std::erase(state().captures, stream);
    const auto status = std::exchange(stream->capture, cudaStreamCaptureStatusNone);
    auto recorded = std::exchange(stream->recorded, {});
    if (status == cudaStreamCaptureStatusInvalidated) return cudaErrorStreamCaptureInvalidated;
    *graph = std::make_unique<CUgraph_st>(CUgraph_st{std::move(recorded)}).release();
    return cudaSuccess;
  });
}
cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  return answer([&] {
    *status = stream == nullptr ? cudaStreamCaptureStatusNone : stream->capture;
    return cudaSuccess;
  });
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  return answer([&] {
    *executable = std::make_unique<CUgraphExec_st>(CUgraphExec_st{graph->work}).release();
    return cudaSuccess;
  });
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  return cuda_on_host::enqueue(stream, [executable] {
    for (const Work& work : executable->work) {
      if (const cudaError_t status = answer(work); status != cudaSuccess) return status;
    }
    return cudaSuccess;
  });
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  const std::unique_ptr<CUgraph_st> owned(graph);
  return graph == nullptr ? cudaErrorInvalidValue : state().lost;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  const std::unique_ptr<CUgraphExec_st> owned(executable);
  return executable == nullptr ? cudaErrorInvalidValue : state().lost;
}
