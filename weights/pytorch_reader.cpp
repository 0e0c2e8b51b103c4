// From pickles and storages to tensors: the zip of torch.save and the legacy stream. Uses unpickler.h and
// zip_archive.h.
#include "weights/pytorch_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <unordered_map>
#include <unordered_set>

#include "weights/message.h"
#include "weights/state_dict_search.h"
#include "weights/unpickler.h"
#include "weights/zip_archive.h"

namespace blindspot::weights {
namespace {

// How much more than the file's own size deflated members may inflate to, in memory and in time.
constexpr std::uint64_t largest_inflated_pickle = std::uint64_t{16} << 20;
constexpr std::uint64_t inflated_beyond_file = std::uint64_t{16} << 20;

std::uint64_t byte_count(const PickledStorage& storage) {
  return static_cast<std::uint64_t>(storage.count) * static_cast<std::uint64_t>(size_of(storage.type));
}

/// The tensor over its storage's bytes, which have been found to be as many as the pickle says.
NamedTensor make_tensor(const FoundTensor& found, const PickledStorage& storage, std::span<const std::byte> bytes) {
  NamedTensor tensor;
  tensor.information = {std::string(found.name), found.tensor->shape, storage.type};
  tensor.view.storage = bytes;
  tensor.view.offset = storage.window_begin + found.tensor->offset;
  const bool is_empty = tensor.information.count() == 0;
  if (is_empty) tensor.view.offset = 0;
  if (!is_empty && !is_row_major(found.tensor->shape, found.tensor->strides))
    tensor.view.strides = found.tensor->strides;
  return tensor;
}

/// The zip's members as torch.save lays them out, under one root folder.
class TorchArchive {
 public:
  TorchArchive(std::string_view file, std::span<const std::byte> bytes, const Cancelled& cancelled)
      : file_(file), archive_(file, bytes, cancelled), may_inflate_(bytes.size() + inflated_beyond_file) {
    constexpr std::string_view pickle_record = "data.pkl";
    for (const ZipMember& member : archive_.members()) {
      const std::size_t slash = member.name.find('/');
      const std::string_view below = slash == std::string_view::npos ? member.name : member.name.substr(slash + 1);
      if (below != pickle_record) continue;
      if (pickle_ != nullptr) refuse(file_, "the zip archive holds several data.pkl");
      pickle_ = &member;
    }
    if (pickle_ == nullptr) refuse(file_, "is a zip archive, but not one of PyTorch: it holds no data.pkl");
    root_ = std::string(pickle_->name.substr(0, pickle_->name.size() - pickle_record.size()));
    if (archive_.find(root_ + "constants.pkl") != nullptr) {
      refuse(file_,
             "is TorchScript (torch.jit.save), which holds code; save the state dict "
             "(torch.save(model.state_dict()))");
    }
    read_byte_order();
  }

  std::span<const std::byte> pickle() {
    if (pickle_->size > largest_inflated_pickle && !pickle_->is_stored()) {
      refuse(file_, fmt::format("its data.pkl inflates to {} bytes, which is no state dict", pickle_->size));
    }
    return keep(*pickle_);
  }

  /// The member of a storage, whose size is compared before anything is read.
  const ZipMember& member_of(const PickledStorage& storage) const {
    const ZipMember* const member = archive_.find(root_ + "data/" + std::string(storage.key));
    if (member == nullptr) refuse(file_, fmt::format("has no record data/{}", printable(storage.key)));
    if (member->size != byte_count(storage)) {
      refuse(file_, fmt::format("record data/{} has {} bytes, its pickle asks for {}", printable(storage.key),
                                member->size, byte_count(storage)));
    }
    return *member;
  }

  /// The member's bytes, checked; inflated ones are kept, and bounded together.
  std::span<const std::byte> keep(const ZipMember& member) {
    if (member.is_stored()) return archive_.stored_bytes(member);
    count_inflated(member);
    return inflated_.emplace_back(archive_.inflated_bytes(member));
  }

  /// Without keeping anything, yet bounded too: inflating takes its time.
  void check(const ZipMember& member) {
    if (!member.is_stored()) count_inflated(member);
    archive_.check(member);
  }
  bool is_big_endian() const { return is_big_endian_; }
  std::vector<std::vector<std::byte>> take_inflated() { return std::move(inflated_); }

 private:
  void count_inflated(const ZipMember& member) {
    if (member.size > may_inflate_) refuse(file_, "its compressed records are too large; store them uncompressed");
    may_inflate_ -= member.size;
  }

  void read_byte_order() {
    const ZipMember* const member = archive_.find(root_ + "byteorder");
    if (member == nullptr) return;
    constexpr std::uint64_t longest_word = 16;
    if (member->size > longest_word) refuse(file_, "its byteorder is neither little nor big");
    const auto bytes = keep(*member);
    const std::string_view order(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (order != "little" && order != "big") {
      refuse(file_, fmt::format("its byteorder is {}, neither little nor big", printable(order)));
    }
    is_big_endian_ = order == "big";
  }

  std::string file_;
  ZipArchive archive_;
  std::uint64_t may_inflate_;
  const ZipMember* pickle_ = nullptr;
  std::string root_;
  bool is_big_endian_ = false;
  std::vector<std::vector<std::byte>> inflated_;
};

/// Reads consecutive pickles of a legacy stream.
class LegacyStream {
 public:
  LegacyStream(PickleHeap& heap, std::span<const std::byte> bytes) : heap_(heap), left_(bytes) {}

  PickleValue pickle() {
    Unpickler unpickler(heap_, left_);
    const PickleValue value = unpickler.run();
    left_ = left_.subspan(unpickler.position());
    return value;
  }

  std::span<const std::byte> take(std::uint64_t size) {
    if (size > left_.size()) {
      refuse(heap_.file(), fmt::format("is cut off: {} bytes are asked for, {} are left", size, left_.size()));
    }
    const auto bytes = left_.first(static_cast<std::size_t>(size));
    left_ = left_.subspan(bytes.size());
    return bytes;
  }

  bool is_at_end() const { return left_.empty(); }

 private:
  PickleHeap& heap_;
  std::span<const std::byte> left_;
};

void check_legacy_start(PickleHeap& heap, LegacyStream& stream) {
  // 0x1950a86a20f9469cfc6c, in binary and as protocol 0 writes it
  constexpr std::string_view magic_bytes = "\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19";
  constexpr std::string_view magic_digits = "119547037146038801333356";
  const PickleValue magic = stream.pickle();
  if (magic.kind != PickleKind::big_integer || (heap.text(magic) != magic_bytes && heap.text(magic) != magic_digits)) {
    refuse(heap.file(), "is a pickle, but not of PyTorch: its magic number is wrong");
  }
  const PickleValue version = stream.pickle();
  if (version.kind != PickleKind::integer || version.integer != 1001) {
    refuse(heap.file(), "is a PyTorch file of an unknown version: the legacy format's is 1001");
  }
  stream.pickle();  // of the machine that wrote it; storages are little-endian whatever it says
}

/// Storages by key as the pickle describes them; two descriptions of one must agree.
std::unordered_map<std::string_view, const PickledStorage*> storages_by_key(const PickleHeap& heap) {
  std::unordered_map<std::string_view, const PickledStorage*> storages;
  for (const PickledStorage& storage : heap.storages()) {
    const auto [entry, is_new] = storages.emplace(storage.key, &storage);
    if (!is_new && byte_count(*entry->second) != byte_count(storage)) {
      refuse(heap.file(), fmt::format("storage {} has two lengths", printable(storage.key)));
    }
  }
  return storages;
}

using StorageBytes = std::unordered_map<std::string_view, std::span<const std::byte>>;

/// For each key of the list an int64 count and that many elements.
StorageBytes read_legacy_storages(PickleHeap& heap, LegacyStream& stream, PickleValue keys) {
  if (keys.kind != PickleKind::list) refuse(heap.file(), "has no list of storages");
  const auto storages = storages_by_key(heap);
  StorageBytes bytes;
  for (const PickleValue key : heap.items(keys)) {
    const auto storage = key.kind == PickleKind::text ? storages.find(heap.text(key)) : storages.end();
    if (storage == storages.end()) refuse(heap.file(), "lists a storage that no tensor has");
    const std::string name = printable(storage->first);
    std::int64_t count = 0;
    std::memcpy(&count, stream.take(sizeof(count)).data(), sizeof(count));
    if (count != storage->second->count) {
      refuse(heap.file(),
             fmt::format("storage {} has {} numbers, its pickle asks for {}", name, count, storage->second->count));
    }
    if (!bytes.emplace(storage->first, stream.take(byte_count(*storage->second))).second) {
      refuse(heap.file(), fmt::format("lists the storage {} twice", name));
    }
  }
  if (bytes.size() != storages.size()) refuse(heap.file(), "lists fewer storages than its tensors have");
  if (!stream.is_at_end()) refuse(heap.file(), "has bytes behind its last storage");
  return bytes;
}

}  // namespace

bool looks_like_pickle(std::span<const std::byte> bytes) {
  const auto first = static_cast<unsigned char>(bytes[0]);
  return first == 0x80 || (first == 'L' && bytes.size() > 1 && static_cast<unsigned char>(bytes[1]) == '1');
}

ParsedFile read_pytorch_zip(std::string_view file, std::span<const std::byte> bytes, const Cancelled& cancelled) {
  TorchArchive archive(file, bytes, cancelled);
  const auto pickle = archive.pickle();
  PickleHeap heap(file);
  Unpickler unpickler(heap, pickle);
  const PickleValue root = unpickler.run();
  if (unpickler.position() != pickle.size()) refuse(file, "its data.pkl goes on behind its end");

  ParsedFile parsed;
  parsed.format = "pytorch zip";
  StorageBytes storages;
  for (const FoundTensor& found : find_state_dict(heap, root)) {
    stop_if(cancelled);
    const PickledStorage& storage = heap.storages()[found.tensor->storage];
    const ZipMember& member = archive.member_of(storage);
    auto known = storages.find(storage.key);
    if (known == storages.end()) known = storages.emplace(storage.key, archive.keep(member)).first;
    parsed.tensors.push_back(make_tensor(found, storage, known->second));
    parsed.tensors.back().view.big_endian = archive.is_big_endian();
  }
  // Storages of other parts of the file, an optimiser's for one, must be sound too.
  for (const PickledStorage& storage : heap.storages()) {
    stop_if(cancelled);
    const ZipMember& member = archive.member_of(storage);
    if (storages.emplace(storage.key, std::span<const std::byte>{}).second) archive.check(member);
  }
  parsed.inflated = archive.take_inflated();
  return parsed;
}

ParsedFile read_pytorch_legacy(std::string_view file, std::span<const std::byte> bytes) {
  PickleHeap heap(file);
  LegacyStream stream(heap, bytes);
  check_legacy_start(heap, stream);
  const PickleValue root = stream.pickle();
  const PickleValue keys = stream.pickle();
  const StorageBytes storages = read_legacy_storages(heap, stream, keys);

  ParsedFile parsed;
  parsed.format = "pytorch legacy";
  for (const FoundTensor& found : find_state_dict(heap, root)) {
    const PickledStorage& storage = heap.storages()[found.tensor->storage];
    parsed.tensors.push_back(make_tensor(found, storage, storages.at(storage.key)));
  }
  return parsed;
}

}  // namespace blindspot::weights
