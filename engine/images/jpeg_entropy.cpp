// Huffman decoding of JPEG scans without reconstruction, after ITU-T T.81 annexes F and G: sequential, progressive
// first scans and refinements. For refinements it remembers which coefficients are nonzero, one bit each, one component
// at a time. Uses error.h.
#include "engine/images/jpeg_entropy.h"

#include <fmt/format.h>

#include <bit>
#include <cstdlib>

#include "engine/images/refuse.h"

namespace blindspot::images {
namespace {

/// Bits of entropy-coded data, most significant first; 0xFF 0x00 stands for the byte 0xFF, a marker ends them.
class BitReader {
 public:
  BitReader(std::span<const std::uint8_t> data, const std::string& name) : data_(data), name_(name) {}

  /// The next 16 bits, zeros behind the end.
  std::uint32_t peek() {
    fill();
    const std::uint64_t padded = buffer_ << 16 >> count_;
    return static_cast<std::uint32_t>(padded & 0xFFFF);
  }

  void skip(int bits) {
    fill();
    if (bits > count_) {
      refuse(name_, "damaged JPEG: its pixel data end before the last block of a scan");
    }
    count_ -= bits;
    buffer_ &= (std::uint64_t{1} << count_) - 1;
  }

  /// Any number of bits.
  void skip_long(int bits) {
    for (; bits > 16; bits -= 16) skip(16);
    skip(bits);
  }

  /// `bits` ≤ 16 bits as a number.
  std::uint32_t read(int bits) {
    const std::uint32_t value = bits == 0 ? 0 : peek() >> (16 - bits);
    skip(bits);
    return value;
  }

  /// Drops the padding of an interval and passes the restart marker of that number (modulo 8).
  void restart(int number) {
    fill();
    while (position_ + 1 < data_.size() && data_[position_] == 0xFF && data_[position_ + 1] == 0xFF) ++position_;
    const bool found = count_ < 8 && position_ + 1 < data_.size() && data_[position_] == 0xFF &&
                       data_[position_ + 1] == 0xD0 + number % 8;
    if (!found) refuse(name_, "damaged JPEG: a restart marker is missing or misplaced");
    position_ += 2;
    count_ = 0;
    buffer_ = 0;
  }

  /// Behind the last byte of which a bit was taken.
  std::size_t consumed() const {
    std::size_t end = position_;
    for (int whole = count_ / 8; whole > 0; --whole) {
      const bool stuffed = end >= 2 && data_[end - 1] == 0 && data_[end - 2] == 0xFF;
      end -= stuffed ? 2 : 1;
    }
    return end;
  }

 private:
  void fill() {
    while (count_ < 16 && position_ < data_.size()) {
      const std::uint8_t byte = data_[position_];
      std::size_t after = position_ + 1;
      if (byte == 0xFF) {
        while (after < data_.size() && data_[after] == 0xFF) ++after;
        if (after == data_.size() || data_[after] != 0) return;
        ++after;
      }
      buffer_ = buffer_ << 8 | byte;
      count_ += 8;
      position_ = after;
    }
  }

  std::span<const std::uint8_t> data_;
  const std::string& name_;
  std::size_t position_ = 0;
  std::uint64_t buffer_ = 0;
  int count_ = 0;
};

/// Canonical decoding: the codes of a length are consecutive, and greater than those of shorter lengths.
class HuffmanDecoder {
 public:
  explicit HuffmanDecoder(const JpegHuffmanTable& table) : symbols_(table.symbols) {
    std::uint32_t code = 0, index = 0;
    for (std::size_t length = 1; length <= 16; ++length) {
      first_code_[length] = code;
      first_index_[length] = index;
      code += table.counts[length - 1];
      index += table.counts[length - 1];
      limit_[length] = code << (16 - length);
      code *= 2;
    }
  }

  int decode(BitReader& bits, const std::string& name) const {
    const std::uint32_t ahead = bits.peek();
    for (std::size_t length = 1; length <= 16; ++length) {
      if (ahead >= limit_[length]) continue;
      bits.skip(static_cast<int>(length));
      return symbols_.at(first_index_[length] + (ahead >> (16 - length)) - first_code_[length]);
    }
    refuse(name, "damaged JPEG: an impossible code in its pixel data");
  }

 private:
  std::array<std::uint8_t, 256> symbols_;
  std::array<std::uint32_t, 17> first_code_{}, first_index_{}, limit_{};
};

/// One scan followed from its first block to its last.
class ScanFollower {
 public:
  ScanFollower(const JpegStructure& structure, const JpegScan& scan, std::span<const std::uint8_t> bytes,
               std::vector<std::uint64_t>& nonzero, const std::string& name)
      : structure_(structure),
        scan_(scan),
        bits_(bytes.subspan(scan.data_begin, scan.data_end - scan.data_begin), name),
        nonzero_(nonzero),
        name_(name) {
    for (const JpegScanComponent& component : scan.components) {
      dc_.emplace_back(component.dc);
      ac_.emplace_back(component.ac);
    }
  }

  /// Returns how many bytes of the data were needed.
  std::size_t follow() {
    const bool alone = scan_.components.size() == 1;
    const JpegComponent& first = component(0);
    const std::int64_t across = std::int64_t{8} * structure_.largest_horizontal;
    const std::int64_t down = std::int64_t{8} * structure_.largest_vertical;
    const std::int64_t units = alone
                                   ? first.blocks_across * first.blocks_down
                                   : (structure_.width + across - 1) / across * ((structure_.height + down - 1) / down);
    for (std::int64_t unit = 0; unit < units; ++unit) {
      if (scan_.restart_interval > 0 && unit > 0 && unit % scan_.restart_interval == 0) restart(unit);
      for (std::size_t i = 0; i < scan_.components.size(); ++i) {
        const int blocks = alone ? 1 : component(i).horizontal * component(i).vertical;
        for (int block = 0; block < blocks; ++block) follow_block(i, static_cast<std::size_t>(unit));
      }
    }
    return bits_.consumed();
  }

 private:
  const JpegComponent& component(std::size_t i) const {
    return structure_.components.at(static_cast<std::size_t>(scan_.components[i].component));
  }

  void restart(std::int64_t unit) {
    bits_.restart(static_cast<int>((unit / scan_.restart_interval - 1) % 8));
    predictions_ = {};
    blocks_without_more_ = 0;
  }

  void follow_block(std::size_t i, std::size_t block) {
    if (!structure_.progressive) {
      dc_difference(i);
      sequential_ac(i);
    } else if (scan_.spectral_start == 0) {
      if (scan_.approximation_high == 0) {
        dc_difference(i);
      } else {
        bits_.skip(1);
      }
    } else if (scan_.approximation_high == 0) {
      first_ac(nonzero_.at(block));
    } else {
      refine_ac(nonzero_.at(block));
    }
  }

  /// F.2.2.1; the prediction must fit the 16 bits that decoders keep.
  void dc_difference(std::size_t i) {
    const int category = dc_[i].decode(bits_, name_);
    if (category == 0) return;
    const int value = static_cast<int>(bits_.read(category));
    const bool negative = value < 1 << (category - 1);
    predictions_.at(i) += negative ? value - (1 << category) + 1 : value;
    if (std::abs(predictions_.at(i)) > 32767) refuse(name_, "damaged JPEG: a brightness out of all range");
  }

  /// F.2.2.2.
  void sequential_ac(std::size_t i) {
    for (int k = 1; k <= 63; ++k) {
      const int symbol = ac_[i].decode(bits_, name_);
      const int run = symbol >> 4, category = symbol & 15;
      if (category == 0 && run != 15) return;
      k += run;
      if (k > 63) overrun();
      bits_.skip(category);
    }
  }

  /// G.1.2.2: runs of zeros, values, and ends of band over many blocks.
  void first_ac(std::uint64_t& nonzero) {
    if (blocks_without_more_ > 0) {
      --blocks_without_more_;
      return;
    }
    for (int k = scan_.spectral_start; k <= scan_.spectral_end; ++k) {
      const int symbol = ac_[0].decode(bits_, name_);
      const int run = symbol >> 4, category = symbol & 15;
      if (category == 0 && run != 15) {
        blocks_without_more_ = (1 << run) + static_cast<int>(bits_.read(run)) - 1;
        return;
      }
      k += run;
      if (k > scan_.spectral_end) overrun();
      if (category == 0) continue;
      bits_.skip(category);
      nonzero |= std::uint64_t{1} << k;
    }
  }

  /// G.1.2.3: every coefficient that was nonzero before takes one bit as it is passed.
  void refine_ac(std::uint64_t& nonzero) {
    int k = scan_.spectral_start;
    if (blocks_without_more_ == 0) {
      for (; k <= scan_.spectral_end; ++k) {
        const int symbol = ac_[0].decode(bits_, name_);
        const int category = symbol & 15;
        int run = symbol >> 4;
        if (category > 1) refuse(name_, "damaged JPEG: an impossible code in its pixel data");
        if (category == 0 && run != 15) {
          blocks_without_more_ = (1 << run) + static_cast<int>(bits_.read(run));
          break;
        }
        bits_.skip(category);
        for (; k <= scan_.spectral_end; ++k) {
          if ((nonzero >> k & 1) != 0) {
            bits_.skip(1);
          } else if (--run < 0) {
            break;
          }
        }
        if (category == 0) continue;
        if (k > scan_.spectral_end) overrun();
        nonzero |= std::uint64_t{1} << k;
      }
    }
    if (blocks_without_more_ == 0) return;
    // At once: a few bytes can say of all blocks of many scans that nothing is left to come.
    const std::uint64_t left =
        k > scan_.spectral_end ? 0 : ~std::uint64_t{0} << k & ~std::uint64_t{0} >> (63 - scan_.spectral_end);
    if ((nonzero & left) != 0) bits_.skip_long(std::popcount(nonzero & left));
    --blocks_without_more_;
  }

  [[noreturn]] void overrun() const { refuse(name_, "damaged JPEG: a block with more coefficients than it can hold"); }

  const JpegStructure& structure_;
  const JpegScan& scan_;
  BitReader bits_;
  std::vector<std::uint64_t>& nonzero_;
  const std::string& name_;
  std::vector<HuffmanDecoder> dc_, ac_;
  std::array<int, 4> predictions_{};
  int blocks_without_more_ = 0;
};

// A picture of the greatest size in the scans that encoders make has some 50 million; a file of few bytes can have
// five times as many, which take the decoder half a minute.
constexpr std::int64_t most_visited_blocks = std::int64_t{1} << 26;

void check_number_of_blocks(const JpegStructure& structure, const std::string& name) {
  std::int64_t blocks = 0;
  for (const JpegScan& scan : structure.scans) {
    for (const JpegScanComponent& part : scan.components) {
      const JpegComponent& component = structure.components.at(static_cast<std::size_t>(part.component));
      blocks += component.blocks_across * component.blocks_down;
    }
  }
  if (blocks > most_visited_blocks) {
    refuse(name,
           fmt::format("its {} scans are too many for a picture of that size; save it anew", structure.scans.size()));
  }
}

}  // namespace

void check_entropy_coded_data(JpegStructure& structure, std::span<const std::uint8_t> bytes, const std::string& name) {
  check_number_of_blocks(structure, name);
  std::vector<std::uint64_t> nonzero;
  const auto follow = [&](JpegScan& scan) {
    scan.data_end = scan.data_begin + ScanFollower(structure, scan, bytes, nonzero, name).follow();
  };
  const auto is_ac = [&](const JpegScan& scan) { return structure.progressive && scan.spectral_start > 0; };
  for (JpegScan& scan : structure.scans) {
    if (!is_ac(scan)) follow(scan);
  }
  if (!structure.progressive) return;
  for (std::size_t i = 0; i < structure.components.size(); ++i) {
    const JpegComponent& component = structure.components[i];
    nonzero.assign(static_cast<std::size_t>(component.blocks_across * component.blocks_down), 0);
    for (JpegScan& scan : structure.scans) {
      if (is_ac(scan) && scan.components[0].component == static_cast<int>(i)) follow(scan);
    }
  }
}

}  // namespace blindspot::images
