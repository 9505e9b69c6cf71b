import Foundation
import Glibc
import Testing

@testable import PlumbRecipes

@Suite struct ProgressTests {
  /// A renderer whose clock and output belong to the test.
  final class Screen {
    var time = 0.0
    var text = ""
    func renderer(isInteractive: Bool) -> TerminalProgress {
      TerminalProgress(isInteractive: isInteractive, now: { self.time }, write: { self.text += $0 })
    }
  }

  func steps(_ count: Int, seconds: Double, isInteractive: Bool, from first: Int = 1) -> String {
    let screen = Screen()
    let renderer = screen.renderer(isInteractive: isInteractive)
    renderer.receive(
      .stageStarted(
        stage: "ppo", kind: "policy", index: 2, count: 9,
        resumedAfter: first > 1 ? first - 1 : nil))
    for step in first...count {
      screen.time += seconds
      renderer.receive(
        .progress(
          RunProgress(stage: "ppo", step: step, total: count, loss: 0.5, tokensPerSecond: 1234)))
    }
    renderer.receive(.stageFinished(stage: "ppo", seconds: 75, skipped: false))
    return screen.text
  }

  @Test func plainLinesComeEveryTenth() {
    let lines = steps(100, seconds: 0.1, isInteractive: false).split(separator: "\n")
    #expect(lines.first == "[3/9] ppo (policy)")
    #expect(lines.last == "  ppo done in 1 min 15 s")
    #expect(lines.count == 13)
    #expect(
      lines[2]
        == "  step 11/100  11 %  loss 0.5000  1\u{2009}234 tok/s  10.00 steps/s  8.9 s left")
  }

  @Test func plainLinesComeEveryTenSeconds() {
    let lines = steps(400, seconds: 4, isInteractive: false).split(separator: "\n")
    #expect(lines.count > 130 && lines.count < 140)
  }

  @Test func aTerminalRenewsOneLine() {
    let text = steps(10, seconds: 1, isInteractive: true)
    #expect(text.components(separatedBy: "\r\u{1B}[K").count == 11)
    #expect(text.filter { $0 == "\n" }.count == 3)
    #expect(text.hasSuffix("steps/s\n  ppo done in 1 min 15 s\n"))
  }

  @Test func theTimeLeftCountsFromTheResumedStep() {
    let text = steps(100, seconds: 2, isInteractive: true, from: 91)
    #expect(text.contains("ppo (policy), continued after step 90"))
    #expect(
      text.contains("step 91/100  91 %  loss 0.5000  1\u{2009}234 tok/s  0.5000 steps/s  18 s left")
    )
  }

  @Test func tablesAreAligned() {
    let table = TextTable(
      title: "Policies", columns: ["policy", "win rate", "note"],
      rows: [["PPO", "0.642", "held"], ["漢字", "−0.1", ""], ["GPO", "–", "a"]])
    #expect(
      table.text == """
        Policies
        policy  win rate  note
        ──────  ────────  ────
        PPO        0.642  held
        漢字        −0.1
        GPO            –  a

        """)
  }

  static let numbers: [(Double, String)] = [
    (0, "0"), (0.69314, "0.6931"), (-0.05, "−0.0500"), (12.345, "12.35"), (123.44, "123.4"),
    (12_345.6, "12\u{2009}346"), (1e-5, "1e-05"), (2.5e7, "2.5e+07"), (.nan, "–"),
    (-.infinity, "−∞"),
  ]

  @Test(arguments: numbers) func numbersAreShort(_ value: Double, _ expected: String) {
    #expect(NumberText.short(value) == expected)
  }

  @Test func durationsAreReadable() {
    #expect(
      [0.44, 9.96, 59.6, 200, 7500].map(NumberText.duration) == [
        "0.4 s", "10 s", "1 min 0 s", "3 min 20 s", "2 h 5 min",
      ])
  }

  /// Sends a signal to the process (a worker thread blocks those to itself) and waits for the flag.
  static func interrupt(_ signal: Int32) {
    kill(getpid(), signal)
    for _ in 0..<1000 where !Interruption.isRequested { usleep(10_000) }
  }

  @Test func theFirstSignalAsks() async {
    await #expect(processExitsWith: .success) {
      Interruption.install()
      guard !Interruption.isRequested else { exit(1) }
      ProgressTests.interrupt(SIGTERM)
      exit(Interruption.isRequested ? 0 : 2)
    }
  }

  @Test func theSecondSignalKills() async {
    await #expect(processExitsWith: .signal(SIGINT)) {
      Interruption.install()
      ProgressTests.interrupt(SIGINT)
      kill(getpid(), SIGINT)
      sleep(10)
      exit(0)
    }
  }
}

@Suite struct FingerprintTests {
  /// Two blocks, from FIPS 180-4's examples; `add` puts the length before the text.
  @Test func theHashIsSHA256() throws {
    // printf '3:abc' | sha256sum, and the same with 200 letters 'a'.
    var short = Fingerprint()
    short.add("abc")
    var long = Fingerprint()
    long.add(String(repeating: "a", count: 200))
    #expect(short.text == "aab5f9ae99b2e38fb462025c8f72f570c9c811705d2a4277dc855d7fa293fe97")
    #expect(long.text == "8edec72f4bf3a184120df4a780d597c7fa3388172730c24927425516fa1c7939")
  }

  @Test func filesCountByContentAndName() throws {
    let folder = try TemporaryFolder()
    func print() throws -> String {
      var fingerprint = Fingerprint()
      try fingerprint.add(contentsOf: folder.url)
      return fingerprint.text
    }
    let inner = folder.url.appending(path: "inner")
    try FileManager.default.createDirectory(at: inner, withIntermediateDirectories: true)
    try Data("one".utf8).write(to: inner.appending(path: "a"))
    let first = try print()
    try Data("two".utf8).write(to: inner.appending(path: "a"))
    let second = try print()
    try FileManager.default.moveItem(at: inner.appending(path: "a"), to: inner.appending(path: "b"))
    let third = try print()
    #expect(Set([first, second, third]).count == 3)
    #expect(throws: RunError.self) {
      var fingerprint = Fingerprint()
      try fingerprint.add(contentsOf: folder.url.appending(path: "missing"))
    }
  }

  @Test func metricsReadBackAsSeries() throws {
    let folder = try TemporaryFolder()
    let url = folder.url.appending(path: "metrics.jsonl")
    let log = try MetricsLog([url])
    try log.append(stage: "a\"b", step: 1, ["loss": 0.1, "z": .nan])
    try log.append(stage: "a\"b", step: 2, ["kl": 3])
    try log.append(stage: "a\"b", step: 3, ["loss": 1e-7])
    #expect(
      try folder.text("metrics.jsonl") == """
        {"stage":"a\\"b","step":1,"loss":0.1,"z":null}
        {"stage":"a\\"b","step":2,"kl":3.0}
        {"stage":"a\\"b","step":3,"loss":1e-07}

        """)
    let series = try MetricsLog.series("loss", in: url)
    #expect(series.map(\.step) == [1, 3] && series.map(\.value) == [0.1, 1e-7])
    try Data("{\n".utf8).write(to: url)
    #expect(throws: RunError.self) { try MetricsLog.series("loss", in: url) }
  }
}
