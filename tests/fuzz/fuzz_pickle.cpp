// Fuzzes the pickle machine, the search for a state dict and the legacy format: the input as one pickle, and as the
// object of a legacy file, whose three constant pickles are put in front. Uses weights/.
#include <cstring>
#include <string>
#include <vector>

#include "tests/fuzz/fuzz_target.h"
#include "weights/pytorch_reader.h"
#include "weights/state_dict_search.h"
#include "weights/unpickler.h"
#include "weights/weight_file.h"

namespace {

using namespace blindspot;

void read_all(const weights::ParsedFile& file) {
  for (const weights::NamedTensor& tensor : file.tensors) weights::gather_float32(tensor.information, tensor.view);
}

/// The magic number, the version 1001 and an empty dict for the machine that wrote it.
std::vector<std::uint8_t> with_legacy_start(fuzz::Bytes data) {
  constexpr char start[] = "\x80\x02\x8A\x0A\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19.\x80\x02M\xE9\x03.\x80\x02}.";
  std::vector<std::uint8_t> file(sizeof(start) - 1);
  std::memcpy(file.data(), start, file.size());
  file.insert(file.end(), data.begin(), data.end());
  return file;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Bytes bytes(data, size);
  fuzz::run_bounded(size, [&] {
    weights::PickleHeap heap("input.pth");
    const weights::PickleValue root = weights::Unpickler(heap, fuzz::as_bytes(bytes)).run();
    weights::find_state_dict(heap, root);
  });
  if (size == 0) return 0;
  const std::vector<std::uint8_t> legacy = with_legacy_start(bytes);
  fuzz::run_bounded(size, [&] { read_all(weights::read_pytorch_legacy("input.pth", fuzz::as_bytes(legacy))); });
  fuzz::run_bounded(size, [&] {
    const auto file = weights::WeightFile::from_memory("input.pth", fuzz::as_bytes(bytes));
    for (std::size_t i = 0; i < file.tensors().size(); ++i) file.read(i, false);
  });
  return 0;
}
