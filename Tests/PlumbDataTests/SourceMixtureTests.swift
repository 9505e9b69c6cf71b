import FoundationEssentials
import PlumbData
import PlumbTestSupport
import Testing

@Suite struct SourceMixtureTests {
  static let sources: [SourceMixture.Source] = [
    .init("large", count: 23), .init("small", count: 5), .init("single", count: 1),
  ]

  private func mixture(
    _ sampling: SourceMixture.Sampling = .equal, share: Int = 4, rows: Int = 0, seed: UInt64 = 3
  ) -> SourceMixture {
    SourceMixture(
      Self.sources, share: share, sampling: sampling, rowsPerSource: rows, seed: seed)
  }

  @Test func everyBatchHoldsAnEqualShareAndSmallSourcesComeRound() {
    let mixture = mixture()
    // 23 rows of the largest source in batches of 4.
    #expect(mixture.batchesPerEpoch == 6)
    #expect(mixture.batches(epochs: 0.5) == 3)
    #expect(mixture.batches(epochs: 2) == 12)
    let batches = (0..<12).map { mixture.batch($0) }
    for batch in batches { #expect(batch.map(\.count) == [4, 4, 4]) }
    for (source, entry) in Self.sources.enumerated() {
      let drawn = batches.flatMap { $0[source] }
      // Every pass over a source holds each of its rows once.
      for start in stride(from: 0, through: drawn.count - entry.count, by: entry.count) {
        #expect(drawn[start..<start + entry.count].sorted() == Array(0..<entry.count))
      }
    }
    let small = batches.flatMap { $0[1] }
    #expect(small[0..<5] != small[5..<10] || small[5..<10] != small[10..<15])
  }

  @Test func aLargeSourceIsCutToTheRowsAskedFor() {
    let mixture = mixture(rows: 8)
    #expect(mixture.batchesPerEpoch == 2)
    let rows = (0..<2).flatMap { mixture.batch($0)[0] }
    #expect(Set(rows).count == 8)
  }

  @Test func aPoolHoldsEveryRowOnceAnEpoch() {
    let mixture = mixture(.pooled, share: 3)
    #expect(mixture.batchesPerEpoch == 4)  // 29 rows in batches of 9
    for epoch in 0..<3 {
      let batches = (0..<4).map { mixture.batch(epoch * 4 + $0) }
      #expect(batches.map { $0.reduce(0) { $0 + $1.count } } == [9, 9, 9, 2])
      for (source, entry) in Self.sources.enumerated() {
        #expect(batches.flatMap { $0[source] }.sorted() == Array(0..<entry.count))
      }
    }
    #expect(mixture.batch(0) != mixture.batch(4))
    #expect((0..<4).contains { mixture.batch($0).contains { $0.isEmpty } })
  }

  /// What one source's rows are does not depend on which other sources there are.
  @Test func orderDependsOnNameSeedAndStepOnly() {
    let alone = SourceMixture([.init("small", count: 5)], share: 4, seed: 3)
    for step in 0..<6 { #expect(alone.batch(step)[0] == mixture().batch(step)[1]) }
    #expect(mixture().batch(2) == mixture().batch(2))
    #expect((0..<4).contains { mixture().batch($0) != mixture(seed: 4).batch($0) })
    let renamed = SourceMixture([.init("other", count: 23)], share: 23, seed: 3)
    #expect(renamed.batch(0)[0] != mixture(share: 23).batch(0)[0])
  }

  @Test func impossibleMixturesTrap() async {
    await #expect(processExitsWith: .failure) { _ = SourceMixture([], share: 1, seed: 0) }
    await #expect(processExitsWith: .failure) { _ = SourceMixture.Source("none", count: 0) }
    await #expect(processExitsWith: .failure) {
      _ = SourceMixture([.init("a", count: 1), .init("a", count: 2)], share: 1, seed: 0)
    }
  }
}

@Suite struct PairGroupTests {
  @Test func whoChoseIsReadUnderTheNamedKeyAndWrittenBack() throws {
    let rows = """
      {"prompt": "q", "chosen": "a", "rejected": "b", "annotator": 17, "group": "g"}
      {"prompt": "q", "chosen": "a", "rejected": "b", "annotator": "x y"}
      {"prompt": "q", "chosen": "a", "rejected": "b", "annotator": "  "}
      {"prompt": "q", "chosen": "a", "rejected": "b", "annotator": null}
      """
    try withFile(rows) { url in
      #expect(try DataFile.preferencePairs(url).rows.map(\.group) == ["g", nil, nil, nil])
      var options = ReadOptions()
      options.groupField = "annotator"
      let pairs = try DataFile.preferencePairs(url, options: options).rows
      #expect(pairs.map(\.group) == ["17", "x y", nil, nil])
      let copy = url.deletingLastPathComponent().appending(path: "copy.jsonl")
      try DataFile.write(pairs, to: copy)
      #expect(try DataFile.preferencePairs(copy).rows == pairs)
    }
  }
}
