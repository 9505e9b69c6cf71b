import Foundation
import PlumbCheckpoints

/// Everything that an interrupted run needs to continue; rewritten atomically as the work goes on.
struct ForumPairsState: Codable {
  /// The steps of the work.
  enum Phase: String, Codable {
    case reading, duplicates, pairing, publishing
  }

  /// Options and inputs: work of others cannot be continued.
  var signature: String
  var phase = Phase.reading
  var partitionCount: Int
  /// The input that is being read, and where in its content.
  var input = 0
  var offset = 0
  /// Posts so far.
  var ordinal = 0
  var reports: [ForumInputReport] = []
  var spill: PostSpill.Lengths?
  var duplicateLengths: [Int]?
  /// The next partition to be paired.
  var partition = 0
  var outputLengths: [Int]?
  var counts = ForumCounts()
  var contaminated: [ContaminationCounts] = []
  var seenSites: Set<String> = []
  var pairsByPart: [String: Int] = [:]

  static func load(from url: URL) throws -> ForumPairsState? {
    guard FileManager.default.fileExists(atPath: url.path) else { return nil }
    do {
      return try JSONDecoder().decode(ForumPairsState.self, from: Data(contentsOf: url))
    } catch {
      throw DataError(
        .invalidSetting, file: url.path, "the state of the interrupted run cannot be read",
        expected: "what this version of plumb writes; --overwrite begins anew", found: "other JSON")
    }
  }

  func save(to url: URL) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    try AtomicFile.write(try encoder.encode(self), to: url)
  }
}

/// The files and options of a job as text: equal texts mean equal results.
struct ForumPairsSignature: Encodable {
  private struct File: Encodable {
    let path: String
    let size: Int
    let modified: Double
  }

  private let version = 1
  private let options: ForumPairOptions
  private let heldOut: [String]
  private let sites: [String]
  private let files: [File]

  init(_ options: ForumPairOptions, inputs: [ForumInput], testSets: [URL]) {
    // A set has no order of its own.
    heldOut = options.heldOutSites.sorted()
    self.options = {
      var options = options
      options.heldOutSites = []
      return options
    }()
    sites = inputs.map { "\($0.site) \($0.format)" }
    files = (inputs.map(\.url) + testSets).map { url in
      let attributes = try? FileManager.default.attributesOfItem(atPath: url.path)
      return File(
        path: url.absoluteURL.path, size: (attributes?[.size] as? Int) ?? 0,
        modified: (attributes?[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0)
    }
  }

  func text() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    return String(decoding: try encoder.encode(self), as: UTF8.self)
  }
}
