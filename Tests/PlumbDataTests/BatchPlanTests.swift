import Foundation
import PlumbData
import PlumbTestSupport
import PlumbTokenizers
import Testing

@Suite struct BatchPlanTests {
  static let costs = (0..<103).map { 1 + ($0 * 37) % 50 }

  @Test func everyExampleOncePerEpoch() {
    for size in [BatchSize.examples(1), .examples(8), .examples(200), .tokens(64), .tokens(10)] {
      let plan = BatchPlan(costs: Self.costs, size: size, seed: 3)
      for epoch in 0..<3 {
        #expect(plan.batches(epoch: epoch).flatMap { $0 }.sorted() == Array(0..<103))
      }
    }
  }

  @Test func budgetsHold() {
    let plan = BatchPlan(costs: Self.costs, size: .tokens(60), seed: 3)
    let batches = plan.batches(epoch: 0)
    for batch in batches { #expect(batch.reduce(0) { $0 + Self.costs[$1] } <= 60) }
    // Greedy filling never leaves two neighbours that would fit together.
    for (one, two) in zip(batches, batches.dropFirst()) {
      #expect((one + two[..<1]).reduce(0) { $0 + Self.costs[$1] } > 60)
    }
    let small = BatchPlan(costs: Self.costs, size: .tokens(10), seed: 3).batches(epoch: 0)
    for batch in small where batch.reduce(0, { $0 + Self.costs[$1] }) > 10 {
      #expect(batch.count == 1)
    }
  }

  @Test func orderDependsOnSeedAndEpochOnly() {
    func order(_ seed: UInt64, _ epoch: Int, shuffles: Bool = true) -> [Int] {
      BatchPlan(costs: Self.costs, size: .examples(4), seed: seed, shuffles: shuffles)
        .order(epoch: epoch)
    }
    #expect(order(1, 0) == order(1, 0))
    #expect(order(1, 0) != order(1, 1))
    #expect(order(1, 0) != order(2, 0))
    #expect(order(1, 5, shuffles: false) == Array(0..<103))
  }

  @Test func remainderCanBeDropped() {
    func sizes(_ examples: Int, _ count: Int) -> [Int] {
      BatchPlan(
        costs: Array(repeating: 1, count: examples), size: .examples(count), seed: 0,
        dropsRemainder: true
      ).batches(epoch: 0).map(\.count)
    }
    #expect(sizes(10, 4) == [4, 4])
    #expect(sizes(8, 4) == [4, 4])
    #expect(sizes(3, 4) == [3], "a data set smaller than a batch is still one batch")
    #expect(sizes(0, 4) == [])
  }

  @Test func resumeIsExact() {
    let groups = (0..<30).map {
      TokenGroup(
        prompt: [Int32($0)], responses: [Array(repeating: 1, count: 1 + $0 % 7)], example: $0)
    }
    for size in [BatchSize.examples(4), .tokens(20)] {
      let dataset = PackedDataset(groups, size: size, seed: 9)
      var straight: [PackedBatch] = []
      for epoch in 0..<3 {
        for index in 0..<dataset.batchCount(epoch: epoch) {
          straight.append(dataset.batch(at: .init(epoch: epoch, index: index)))
        }
      }
      let resumed = PackedDataset(groups, size: size, seed: 9)
      for step in straight.indices {
        #expect(resumed.batch(at: resumed.position(ofStep: step)) == straight[step])
      }
    }
  }

  @Test func microBatchesHoldTheBatch() {
    let groups = (0..<16).map {
      TokenGroup(prompt: [1], responses: [Array(repeating: 2, count: 1 + $0)], example: $0)
    }
    let dataset = PackedDataset(groups, size: .examples(16), seed: 0)
    let whole = dataset.batch(at: .init())
    let parts = dataset.microBatches(at: .init(), tokenBudget: 20)
    #expect(parts.count > 1)
    #expect(parts.flatMap(\.tokens) == whole.tokens)
    #expect(parts.flatMap(\.targets) == whole.targets)
    #expect(parts.flatMap(\.examples) == whole.examples)
    #expect(parts.allSatisfy { $0.tokens.count <= 20 })
  }

  @Test func nonsenseTraps() async {
    await #expect(processExitsWith: .failure) {
      _ = BatchPlan(costs: [1], size: .examples(0), seed: 0)
    }
    await #expect(processExitsWith: .failure) {
      _ = PackedDataset([], size: .examples(1), seed: 0).position(ofStep: 0)
    }
  }
}
