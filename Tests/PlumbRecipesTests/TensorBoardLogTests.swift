import Foundation
import PlumbTestSupport
import Testing

@testable import PlumbRecipes

/// TensorBoard's event files: framing, messages, and what a continued run leaves.
@Suite struct TensorBoardLogTests {
  /// The vectors of RFC 3720 (appendix B.4), and the usual check value.
  @Test func checksumsAreThoseOfTheStandard() {
    #expect(CRC32C.checksum(Array("123456789".utf8)) == 0xE306_9283)
    #expect(CRC32C.checksum([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
    #expect(CRC32C.checksum([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
    #expect(CRC32C.checksum((0..<32).map { UInt8($0) }) == 0x46DD_794E)
    #expect(CRC32C.checksum((0..<32).map { UInt8(31 - $0) }) == 0x113F_DB5C)
    #expect(CRC32C.checksum([UInt8]()) == 0)
    // 0xE3069283 rotated by 15 is 0x2507C60D.
    #expect(CRC32C.masked(Array("123456789".utf8)) == 0x2507_C60D &+ 0xA282_EAD8)
  }

  /// The same metrics by TensorBoard's own writer (Tests/Fixtures/tensorboard/make.py).
  @Test func bytesAreThoseOfTensorBoard() throws {
    let metrics = Fixtures.url("tensorboard/metrics.jsonl")
    let golden = try Data(contentsOf: Fixtures.url("tensorboard/golden.tfevents"))
    let folder = try TemporaryFolder()
    let whole = folder.url.appending(path: "whole/events")
    _ = try TensorBoardLog(whole, metrics: metrics)
    #expect(try Data(contentsOf: whole) == golden)
    // And value by value, as a run writes them.
    let grown = folder.url.appending(path: "grown/events")
    let log = try TensorBoardLog(grown, metrics: folder.url.appending(path: "none"))
    #expect(!FileManager.default.fileExists(atPath: grown.path))
    try log.append(step: 1, ["loss": 2.5, "accuracy": 0])
    try log.append(step: 2, ["objective/kl": -0.25, "loss": 0.1])
    try log.append(step: 300, ["loss": 1e-5, "grad_norm": .nan])
    #expect(try Data(contentsOf: grown) == golden)
  }

  @Test func aMetricsFileThatIsDamagedIsRefused() throws {
    let folder = try TemporaryFolder()
    let metrics = folder.url.appending(path: "metrics.jsonl")
    try Data("{\"stage\":\"a\",\"step\":1}\nnot JSON\n".utf8).write(to: metrics)
    #expect(throws: RunError.self) {
      try TensorBoardLog(folder.url.appending(path: "events"), metrics: metrics)
    }
  }

  private func run(
    _ folder: URL, mode: Runner.Mode = .refusing, _ control: WalkStage.Control = .init(),
    overrides: [String] = []
  ) throws {
    _ = try WalkStage.$control.withValue(control) {
      try RunnerTests.runner(folder, overrides: overrides, mode: mode, control: control).run()
    }
  }

  private func events(_ folder: TemporaryFolder, _ stage: String) throws -> Data {
    try folder.data("tensorboard/\(stage)/\(TensorBoardLog.fileName)")
  }

  /// Metrics vanish, or the axis is wrong, after a resume: trl#1046, #1762; LLaMA-Factory#1026;
  /// open-r1#450.
  @Test("Complaint 20, trl#1046: a killed run has no step twice", arguments: [1, 2, 3, 4, 5, 6, 7])
  func aKilledRunHasNoStepTwice(_ step: Int) throws {
    let (straight, killed) = (try TemporaryFolder(), try TemporaryFolder())
    try run(straight.url)
    let dying = WalkStage.Control()
    dying.diesAt = ("second", step)
    #expect(throws: WalkStage.Death.self) { try run(killed.url, dying) }
    try run(killed.url, mode: .resuming)
    for stage in ["first", "second", "third"] {
      #expect(try events(killed, stage) == events(straight, stage), "\(stage)")
    }
  }

  @Test func aFinishedStageGetsItsEventsBackAndAChangedOneNewOnes() throws {
    let folder = try TemporaryFolder()
    try run(folder.url)
    let (first, second) = (try events(folder, "first"), try events(folder, "second"))
    try FileManager.default.removeItem(at: folder.url.appending(path: "tensorboard"))
    try run(folder.url)
    #expect(try events(folder, "first") == first)
    #expect(try events(folder, "second") == second)
    try run(folder.url, overrides: ["second.steps=3"])
    #expect(try events(folder, "first") == first)
    #expect(try events(folder, "second").count < second.count)
  }
}
