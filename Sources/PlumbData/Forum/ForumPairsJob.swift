public import Foundation
import PlumbCheckpoints

/// Makes preference pairs from forum dumps of any size in bounded memory.
///
/// 1. *Reading*: every input streams once; posts are spread over partitions on disk so that a
///    question and its answers meet in one.
/// 2. *Duplicates*: questions with equal words are found hash partition by hash partition.
/// 3. *Pairing*: partition by partition, threads are put together, judged by their votes, and only
///    texts that a pair needs are converted and written.
///
/// The state is saved now and then; a run that was killed continues from there and ends in the same
/// bytes. The order of the pairs is that of the partitions, a fixed shuffle of the questions.
public final class ForumPairsJob {
  /// How far the work is.
  public struct Progress: Sendable {
    /// 1 reading, 2 pairing.
    public let step: Int
    /// Bytes of the inputs, or of the partitions, that are done.
    public let done: Int
    /// Their number in all; nil where an input does not tell.
    public let total: Int?
    /// Bytes that were done when this run continued.
    public let start: Int
    /// Pairs written so far.
    public let pairs: Int
  }

  /// The job was told to stop, and will continue from where it is.
  public struct Interrupted: Error {}

  /// The part that sites which are held out go to.
  public static let heldOut = "held-out"

  let inputs: [ForumInput]
  let options: ForumPairOptions
  let target: URL
  let work: URL
  let split: Split
  let decontamination: Decontamination
  var state: ForumPairsState
  /// Bytes of each input, nil for pipes.
  let inputSizes: [Int?]
  /// Whether an interrupted run is being continued.
  public private(set) var isContinued = false
  /// Regular saves come no more often.
  var saveInterval: Duration = .seconds(2)
  private let clock = ContinuousClock()
  private var lastSaved: ContinuousClock.Instant
  private let progress: (Progress) -> Bool

  var stateURL: URL { work.appending(path: "state.json") }

  /// A job that writes to the folder `target`, or continues what was begun there.
  ///
  /// - Parameters:
  ///   - testSets: files whose texts must not be in the pairs, with their names.
  ///   - overwrite: replaces what is in `target`, finished or not.
  ///   - progress: learns how far the work is; false stops it, to be continued later.
  /// - Throws: ``DataError`` for options that make no sense, for a folder that holds something else,
  ///   and for unfinished work of other inputs or options.
  public init(
    _ inputs: [ForumInput], to target: URL, options: ForumPairOptions = ForumPairOptions(),
    testSets: [(name: String, url: URL)] = [], overwrite: Bool = false,
    progress: @escaping (Progress) -> Bool = { _ in true }
  ) throws {
    self.inputs = inputs
    self.options = options
    self.target = target
    self.progress = progress
    work = target.appending(path: ".unfinished", directoryHint: .isDirectory)
    split = try options.split()
    lastSaved = clock.now
    guard !inputs.isEmpty else {
      throw DataError(.invalidSetting, file: "inputs", "there is no input", expected: "a dump")
    }
    let signature = try ForumPairsSignature(
      options, inputs: inputs, testSets: testSets.map(\.url)
    ).text()
    inputSizes = inputs.map { input in
      let attributes = try? FileManager.default.attributesOfItem(atPath: input.url.path)
      guard attributes?[.type] as? FileAttributeType == .typeRegular else { return nil }
      return attributes?[.size] as? Int
    }
    let count = Self.partitionCount(inputs, inputSizes)
    state = ForumPairsState(signature: signature, partitionCount: count)
    decontamination = try Decontamination(testSets, wordCount: options.decontaminationWords)
    try claim(overwrite: overwrite)
  }

  /// Does the work; throws ``Interrupted`` when told to stop.
  public func run() throws -> ForumPairsReport {
    if state.phase == .reading { try read() }
    if state.phase == .duplicates { try findDuplicates() }
    if state.phase == .pairing { try pair() }
    return try publish()
  }

  // MARK: Set-up

  /// As many as keep each partition near 96 MB of text.
  private static func partitionCount(_ inputs: [ForumInput], _ sizes: [Int?]) -> Int {
    let bytes = zip(inputs, sizes).reduce(0) { sum, input in
      let ending = input.0.url.pathExtension
      // What compressed dumps become; only the balance depends on it.
      let factor = ending == "zst" ? 12 : ending == "gz" ? 5 : 1
      return sum + (input.1 ?? 8 << 30) * factor
    }
    var count = 1
    while count < 4096, bytes / count > 96 << 20 { count *= 2 }
    return count
  }

  private func claim(overwrite: Bool) throws {
    let manager = FileManager.default
    let finished = target.appending(path: "report.json").path
    if overwrite {
      try? manager.removeItem(at: work)
      for name in outputNames {
        for compression in ForumPairOptions.Compression.allCases {
          try? manager.removeItem(
            at: target.appending(path: "\(name).\(compression.fileExtension)"))
        }
      }
      try? manager.removeItem(atPath: finished)
    }
    if let found = try ForumPairsState.load(from: stateURL) {
      guard found.signature == state.signature else {
        throw DataError(
          .invalidSetting, file: target.path, "the folder holds unfinished work of another job",
          expected: "the same inputs and options, or --overwrite to begin anew",
          found: "other inputs or options")
      }
      state = found
      isContinued = true
    } else if let content = try? manager.contentsOfDirectory(atPath: target.path),
      let name = content.sorted().first(where: { $0 != work.lastPathComponent })
    {
      throw DataError(
        .invalidSetting, file: target.path, "the folder is not empty",
        expected: "a new or empty folder, or --overwrite for results of this command",
        found: "'\(name)'")
    }
    do {
      try manager.createDirectory(at: work, withIntermediateDirectories: true)
    } catch {
      throw DataError(
        .invalidSetting, file: target.path, "cannot make the folder", found: "\(error)")
    }
  }

  var outputNames: [String] { split.parts.map(\.name) + [Self.heldOut] }

  /// Saves the state; `isRegular` saves come after ``saveInterval`` only.
  func save(isRegular: Bool = false) throws {
    guard !isRegular || isSaveDue else { return }
    try state.save(to: stateURL)
    lastSaved = clock.now
  }

  /// True if it is time to save.
  var isSaveDue: Bool { clock.now - lastSaved > saveInterval }

  /// Tells how far the work is; throws ``Interrupted`` if it is to stop.
  func show(_ now: Progress) throws {
    guard progress(now) else { throw Interrupted() }
  }
}
