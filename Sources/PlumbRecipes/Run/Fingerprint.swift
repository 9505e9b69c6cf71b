public import Foundation
import PlumbModels

/// SHA-256 of things that decide a result: settings, input files, seeds.
public struct Fingerprint: Sendable {
  private var hash = SHA256()

  /// The fingerprint of nothing yet.
  public init() {}

  /// Adds a text, with its length, so that "ab","c" differs from "a","bc".
  public mutating func add(_ text: String) {
    let bytes = Array(text.utf8)
    hash.update(Array("\(bytes.count):".utf8)[...])
    hash.update(bytes[...])
  }

  /// Adds whole numbers, with how many they are.
  mutating func add(_ numbers: [Int32]) {
    hash.update(Array("\(numbers.count):".utf8)[...])
    hash.update(
      numbers.flatMap { number in (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) } }[
        ...])
  }

  /// Adds the content of a file, or of all files of a folder with their names in order; of a LoRA
  /// adapter's folder, also that of the base.
  ///
  /// - Throws: `RunError.file`.
  public mutating func add(contentsOf url: URL) throws {
    var isFolder: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder)
    guard exists, isFolder.boolValue else {
      try addFile(url)
      return
    }
    for path in try RunFiles.filesBelow(url) {
      add(path)
      try addFile(url.appending(path: path))
    }
    // What an adapter computes depends on its base as well.
    if AdapterFolder.isAdapter(url) { try add(contentsOf: AdapterFolder(url).base) }
  }

  private mutating func addFile(_ url: URL) throws {
    do {
      let file = try FileHandle(forReadingFrom: url)
      defer { try? file.close() }
      var content = SHA256()
      while let chunk = try file.read(upToCount: 1 << 20), !chunk.isEmpty {
        content.update(Array(chunk)[...])
      }
      add(content.digest)
    } catch {
      throw RunError.file(url, "read", error)
    }
  }

  /// 64 hexadecimal digits.
  public var text: String {
    var copy = hash
    return copy.digest
  }
}

/// The hash of FIPS 180-4.
///
/// Swift's own hash is seeded anew in every process, and Foundation on Linux has none.
private struct SHA256 {
  private var state: [UInt32] = [
    0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a,
    0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
  ]
  private var pending: [UInt8] = []
  private var length: UInt64 = 0

  mutating func update(_ bytes: ArraySlice<UInt8>) {
    length += UInt64(bytes.count)
    pending += bytes
    var start = 0
    while pending.count - start >= 64 {
      block(at: start)
      start += 64
    }
    pending.removeFirst(start)
  }

  /// Ends the message: nothing may be added after it.
  var digest: String {
    mutating get {
      let bits = length * 8
      update([0x80])
      while pending.count != 56 { update([0]) }
      update((0..<8).map { UInt8(truncatingIfNeeded: bits >> (56 - 8 * $0)) }[...])
      return state.map { word in
        let digits = String(word, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
      }.joined()
    }
  }

  private mutating func block(at start: Int) {
    var w = [UInt32](repeating: 0, count: 64)
    for i in 0..<16 {
      let at = start + 4 * i
      w[i] =
        UInt32(pending[at]) << 24 | UInt32(pending[at + 1]) << 16
        | UInt32(pending[at + 2]) << 8 | UInt32(pending[at + 3])
    }
    for i in 16..<64 {
      let s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ (w[i - 15] >> 3)
      let s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ (w[i - 2] >> 10)
      w[i] = w[i - 16] &+ s0 &+ w[i - 7] &+ s1
    }
    var (a, b, c, d) = (state[0], state[1], state[2], state[3])
    var (e, f, g, h) = (state[4], state[5], state[6], state[7])
    for i in 0..<64 {
      let s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)
      let t1 = h &+ s1 &+ ((e & f) ^ (~e & g)) &+ Self.constants[i] &+ w[i]
      let s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)
      let t2 = s0 &+ ((a & b) ^ (a & c) ^ (b & c))
      (h, g, f, e) = (g, f, e, d &+ t1)
      (d, c, b, a) = (c, b, a, t1 &+ t2)
    }
    for (i, value) in [a, b, c, d, e, f, g, h].enumerated() { state[i] &+= value }
  }

  private func rotate(_ x: UInt32, _ n: UInt32) -> UInt32 { x >> n | x << (32 - n) }

  private static let constants: [UInt32] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4,
    0xab1c_5ed5, 0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe,
    0x9bdc_06a7, 0xc19b_f174, 0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f,
    0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da, 0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7,
    0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967, 0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc,
    0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85, 0xa2bf_e8a1, 0xa81a_664b,
    0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070, 0x19a4_c116,
    0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7,
    0xc671_78f2,
  ]
}
