// The marker segments of a JPEG file, after ITU-T T.81 annex B and, for the meaning of the components, the rules of
// libjpeg. Uses error.h alone.
#include "engine/images/jpeg_structure.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>

#include "engine/images/refuse.h"

namespace blindspot::images {
namespace {

// Markers, T.81 table B.1.
constexpr int sof0 = 0xC0, sof2 = 0xC2, dht = 0xC4, jpg = 0xC8, dac = 0xCC, sof15 = 0xCF, rst0 = 0xD0, rst7 = 0xD7;
constexpr int soi = 0xD8, eoi = 0xD9, sos = 0xDA, dqt = 0xDB, dnl = 0xDC, dri = 0xDD;
constexpr int app0 = 0xE0, app14 = 0xEE, app15 = 0xEF, com = 0xFE, tem = 0x01;
// Files have about ten; thousands over a large picture would only waste hours.
constexpr std::size_t most_scans = 100;

struct Segment {
  std::span<const std::uint8_t> payload;
  std::size_t end = 0;
};

std::int64_t divide_up(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

class JpegParser {
 public:
  JpegParser(std::span<const std::uint8_t> bytes, const std::string& name) : bytes_(bytes), name_(name) {}

  JpegStructure parse() {
    position_ = 2;
    for (int marker = next_marker(); marker != eoi; marker = next_marker()) {
      if (marker == tem || (marker >= rst0 && marker <= rst7)) continue;
      if (marker == soi) fail("a second start of image");
      const Segment segment = read_segment(marker);
      position_ = segment.end;
      read(marker, segment.payload);
    }
    check_complete();
    result_.colours = colours();
    return std::move(result_);
  }

 private:
  [[noreturn]] void fail(const std::string& cause) const { refuse(name_, "damaged JPEG: " + cause); }
  [[noreturn]] void unsupported(const std::string& kind) const {
    refuse(name_, kind + " JPEG files are not read; save it as an ordinary (baseline or progressive) JPEG or as PNG");
  }

  /// Moves behind the next marker, over fill bytes and whatever else stands before it.
  int next_marker() {
    while (position_ + 1 < bytes_.size()) {
      const int marker = bytes_[position_ + 1];
      if (bytes_[position_] == 0xFF && marker != 0 && marker != 0xFF) {
        position_ += 2;
        return marker;
      }
      ++position_;
    }
    refuse(name_, "JPEG file is cut off: it ends without an end of image (EOI)");
  }

  Segment read_segment(int marker) const {
    const std::size_t left = bytes_.size() - position_;
    const std::size_t length = left < 2 ? 0 : static_cast<std::size_t>(bytes_[position_] << 8 | bytes_[position_ + 1]);
    if (left < 2 || length > left) refuse(name_, fmt::format("JPEG file is cut off in segment FF{:02X}", marker));
    if (length < 2) fail(fmt::format("segment FF{:02X} of length {}", marker, length));
    return {bytes_.subspan(position_ + 2, length - 2), position_ + length};
  }

  void read(int marker, std::span<const std::uint8_t> payload) {
    const std::string_view text(reinterpret_cast<const char*>(payload.data()), payload.size());
    if (marker == dht) {
      read_huffman_tables(payload);
    } else if (marker == dqt) {
      read_quantisation_tables(payload);
    } else if (marker == dri) {
      if (payload.size() != 2) fail("restart interval (DRI) of wrong length");
      restart_interval_ = payload[0] << 8 | payload[1];
    } else if (marker == sos) {
      read_scan(payload);
    } else if (marker == dac || (marker > sof0 + 8 && marker <= sof15)) {
      unsupported("arithmetic-coded");
    } else if (marker == 0xC3) {
      unsupported("lossless");
    } else if (marker > 0xC4 && marker < jpg) {
      unsupported("hierarchical");
    } else if (marker >= sof0 && marker <= sof2) {
      read_frame(marker, payload);
    } else if (marker == app0) {
      jfif_ = jfif_ || (payload.size() >= 14 && text.starts_with(std::string_view("JFIF\0", 5)));
    } else if (marker == app14) {
      if (payload.size() >= 12 && text.starts_with("Adobe")) adobe_transform_ = payload[11];
    } else if (marker != dnl && marker != com && (marker < app0 || marker > app15)) {
      fail(fmt::format("unknown marker FF{:02X}", marker));
    }
  }

  void read_huffman_tables(std::span<const std::uint8_t> payload) {
    while (!payload.empty()) {
      if (payload.size() < 17) fail("Huffman table (DHT) of wrong length");
      const int kind = payload[0] >> 4, slot = payload[0] & 15;
      if (kind > 1 || slot > 3) fail(fmt::format("Huffman table (DHT) of class {} and number {}", kind, slot));
      JpegHuffmanTable table;
      std::copy_n(payload.begin() + 1, 16, table.counts.begin());
      std::uint32_t code = 0;
      for (std::size_t i = 0; i < 16; ++i) {
        code = code * 2 + table.counts[i];
        if (code > (2U << i)) fail("Huffman table (DHT) with too many codes");
        table.symbol_count += table.counts[i];
      }
      const auto count = static_cast<std::size_t>(table.symbol_count);
      if (count == 0 || count > 256 || payload.size() < 17 + count) fail("Huffman table (DHT) of wrong length");
      std::copy_n(payload.begin() + 17, count, table.symbols.begin());
      const auto first = table.symbols.begin();
      if (kind == 0 &&
          std::any_of(first, first + table.symbol_count, [](std::uint8_t symbol) { return symbol > 15; })) {
        fail("Huffman table (DHT) with an impossible DC category");
      }
      (kind == 0 ? dc_tables_ : ac_tables_).at(static_cast<std::size_t>(slot)) = table;
      payload = payload.subspan(17 + count);
    }
  }

  void read_quantisation_tables(std::span<const std::uint8_t> payload) {
    while (!payload.empty()) {
      const std::size_t precision = payload[0] >> 4, slot = payload[0] & 15, size = 64 * (precision + 1);
      if (precision > 1 || slot > 3 || payload.size() < 1 + size) fail("quantisation table (DQT) of wrong form");
      std::array<std::uint16_t, 64> table{};
      for (std::size_t i = 0; i < 64; ++i) {
        table[i] =
            precision == 0 ? payload[1 + i] : static_cast<std::uint16_t>(payload[1 + 2 * i] << 8 | payload[2 + 2 * i]);
      }
      quantisation_.at(slot) = table;
      payload = payload.subspan(1 + size);
    }
  }

  void read_frame(int marker, std::span<const std::uint8_t> payload) {
    if (!result_.components.empty()) fail("two frames (SOF)");
    if (payload.size() < 6) fail("frame header (SOF) of wrong length");
    if (payload[0] != 8) unsupported(fmt::format("{}-bit", payload[0]));
    result_.progressive = marker == sof2;
    result_.height = payload[1] << 8 | payload[2];
    result_.width = payload[3] << 8 | payload[4];
    const std::size_t count = payload[5];
    if (result_.width == 0 || result_.height == 0) fail("width or height is 0");
    if (std::int64_t{result_.width} * result_.height > most_pixels) {
      refuse(name_, fmt::format("picture of {}x{} pixels is too large: at most {} pixels are read", result_.width,
                                result_.height, most_pixels));
    }
    if (count != 1 && count != 3 && count != 4) fail(fmt::format("{} colour components", count));
    if (payload.size() != 6 + 3 * count) fail("frame header (SOF) of wrong length");
    for (std::size_t i = 0; i < count; ++i) {
      const auto entry = payload.subspan(6 + 3 * i, 3);
      JpegComponent component;
      component.id = entry[0];
      component.horizontal = entry[1] >> 4;
      component.vertical = entry[1] & 15;
      component.quantisation_slot = entry[2];
      component.missing_bits.fill(-1);
      if (component.horizontal < 1 || component.horizontal > 4 || component.vertical < 1 || component.vertical > 4) {
        fail(fmt::format("sampling factors {}x{}", component.horizontal, component.vertical));
      }
      if (component.quantisation_slot > 3) fail("quantisation table number above 3");
      if (index_of(component.id)) fail("two components of the same id");
      result_.components.push_back(component);
    }
    lay_out_blocks();
  }

  void lay_out_blocks() {
    for (const JpegComponent& component : result_.components) {
      result_.largest_horizontal = std::max(result_.largest_horizontal, component.horizontal);
      result_.largest_vertical = std::max(result_.largest_vertical, component.vertical);
    }
    for (JpegComponent& component : result_.components) {
      if (result_.largest_horizontal % component.horizontal != 0 ||
          result_.largest_vertical % component.vertical != 0) {
        unsupported("fractionally sampled");
      }
      const std::int64_t across = std::int64_t{result_.width} * component.horizontal;
      const std::int64_t down = std::int64_t{result_.height} * component.vertical;
      component.blocks_across = divide_up(divide_up(across, result_.largest_horizontal), 8);
      component.blocks_down = divide_up(divide_up(down, result_.largest_vertical), 8);
    }
  }

  std::optional<int> index_of(int id) const {
    for (std::size_t i = 0; i < result_.components.size(); ++i) {
      if (result_.components[i].id == id) return static_cast<int>(i);
    }
    return std::nullopt;
  }

  void read_scan(std::span<const std::uint8_t> payload) {
    if (result_.components.empty()) fail("a scan (SOS) before the frame (SOF)");
    if (result_.scans.size() == most_scans) fail(fmt::format("more than {} scans", most_scans));
    const std::size_t count = payload.empty() ? 0 : payload[0];
    if (count < 1 || count > 4 || payload.size() != 4 + 2 * count) fail("scan header (SOS) of wrong length");
    JpegScan scan;
    scan.restart_interval = restart_interval_;
    if (result_.progressive) read_progression(scan, payload.last(3), count);
    int blocks_in_unit = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const std::optional<int> index = index_of(payload[1 + 2 * i]);
      if (!index) fail("a scan (SOS) of a component that the frame does not have");
      for (const JpegScanComponent& other : scan.components) {
        if (other.component == *index) fail("a scan (SOS) with a component twice");
      }
      scan.components.push_back(scan_component(scan, *index, payload[2 + 2 * i]));
      JpegComponent& component = result_.components[static_cast<std::size_t>(*index)];
      blocks_in_unit += component.horizontal * component.vertical;
      advance(scan, component);
    }
    if (count > 1 && blocks_in_unit > 10) fail("more than ten blocks in a unit of a scan");
    scan.data_begin = position_;
    scan.data_end = end_of_data();
    position_ = scan.data_end;
    result_.scans.push_back(std::move(scan));
  }

  void read_progression(JpegScan& scan, std::span<const std::uint8_t> parameters, std::size_t components) const {
    scan.spectral_start = parameters[0];
    scan.spectral_end = parameters[1];
    scan.approximation_high = parameters[2] >> 4;
    scan.approximation_low = parameters[2] & 15;
    const bool band_fits = scan.spectral_start == 0
                               ? scan.spectral_end == 0
                               : scan.spectral_end >= scan.spectral_start && scan.spectral_end <= 63 && components == 1;
    if (!band_fits || scan.approximation_low > 13) fail("impossible parameters of a progressive scan (SOS)");
  }

  /// The tables that a scan uses for one component, as they are at that point of the file.
  JpegScanComponent scan_component(const JpegScan& scan, int index, int slots) {
    JpegScanComponent chosen;
    chosen.component = index;
    const bool needs_dc = scan.spectral_start == 0 && scan.approximation_high == 0;
    const bool needs_ac = scan.spectral_end > 0;
    const int dc = slots >> 4, ac = slots & 15;
    if (dc > 3 || ac > 3) fail("Huffman table number above 3");
    if (needs_dc) chosen.dc = dc_tables_.at(static_cast<std::size_t>(dc));
    if (needs_ac) chosen.ac = ac_tables_.at(static_cast<std::size_t>(ac));
    if ((needs_dc && chosen.dc.symbol_count == 0) || (needs_ac && chosen.ac.symbol_count == 0)) {
      fail("a scan (SOS) needs a Huffman table (DHT) that is missing");
    }
    JpegComponent& component = result_.components[static_cast<std::size_t>(index)];
    const bool first_scan = std::all_of(component.missing_bits.begin(), component.missing_bits.end(),
                                        [](std::int8_t bits) { return bits < 0; });
    const auto& table = quantisation_.at(static_cast<std::size_t>(component.quantisation_slot));
    if (!table) fail("a scan (SOS) needs a quantisation table (DQT) that is missing");
    if (first_scan) component.quantisation = *table;
    return chosen;
  }

  /// Keeps count of what the scans have sent; each must go on where the ones before it left off.
  void advance(const JpegScan& scan, JpegComponent& component) const {
    for (int k = scan.spectral_start; k <= scan.spectral_end; ++k) {
      std::int8_t& missing = component.missing_bits.at(static_cast<std::size_t>(k));
      const bool follows = scan.approximation_high == 0 ? missing == -1
                                                        : missing == scan.approximation_high &&
                                                              scan.approximation_low == scan.approximation_high - 1;
      if (!follows) fail("its scans (SOS) do not follow one another");
      missing = static_cast<std::int8_t>(scan.approximation_low);
    }
  }

  /// Position of the marker that ends the entropy-coded data: any but the restart markers.
  std::size_t end_of_data() const {
    for (std::size_t i = position_; i + 1 < bytes_.size(); ++i) {
      if (bytes_[i] != 0xFF) continue;
      const int marker = bytes_[i + 1];
      if (marker != 0 && marker != 0xFF && (marker < rst0 || marker > rst7)) return i;
    }
    refuse(name_, "JPEG file is cut off: it ends within its pixel data");
  }

  void check_complete() const {
    if (result_.components.empty()) fail("no frame (SOF)");
    if (result_.scans.empty()) fail("no scan (SOS), so no pixels");
    for (const JpegComponent& component : result_.components) {
      for (const std::int8_t missing : component.missing_bits) {
        if (missing != 0) fail("scans (SOS) are missing: the picture is not complete");
      }
    }
  }

  JpegColours colours() const {
    const auto& components = result_.components;
    if (components.size() == 1) return JpegColours::grey;
    if (components.size() == 4) {
      return !adobe_transform_ || *adobe_transform_ == 0 ? JpegColours::cmyk : JpegColours::ycck;
    }
    if (jfif_) return JpegColours::ycbcr;
    if (adobe_transform_) return *adobe_transform_ == 0 ? JpegColours::rgb : JpegColours::ycbcr;
    const bool named = components[0].id == 'R' && components[1].id == 'G' && components[2].id == 'B';
    return named ? JpegColours::rgb : JpegColours::ycbcr;
  }

  std::span<const std::uint8_t> bytes_;
  const std::string& name_;
  std::size_t position_ = 0;
  JpegStructure result_;
  std::array<JpegHuffmanTable, 4> dc_tables_, ac_tables_;
  std::array<std::optional<std::array<std::uint16_t, 64>>, 4> quantisation_;
  int restart_interval_ = 0;
  bool jfif_ = false;
  std::optional<int> adobe_transform_;
};

}  // namespace

bool has_jpeg_signature(std::span<const std::uint8_t> bytes) {
  return bytes.size() >= 2 && bytes[0] == 0xFF && bytes[1] == soi;
}

JpegStructure parse_jpeg(std::span<const std::uint8_t> bytes, const std::string& name) {
  return JpegParser(bytes, name).parse();
}

}  // namespace blindspot::images
