import PlumbPreferences
import PlumbTestSupport
import Testing

@Suite struct ClusterAssignmentTests {
  @Test func groupsBeginInTurnAndMoveToTheLikeliestCluster() {
    var assignment = ClusterAssignment(groups: 5, clusters: 2)
    #expect(assignment.clusters == [0, 1, 0, 1, 0])
    let table: [[Double]] = [[-1, -2], [-1, -2], [-3, -3], [-4, -1], [-2, -0.5]]
    #expect(assignment.objective(table) == -1 - 2 - 3 - 1 - 2)
    // The third group is served equally and stays.
    #expect(assignment.assign(table) == 2)
    #expect(assignment.clusters == [0, 0, 0, 1, 1])
    #expect(assignment.objective(table) == -1 - 1 - 3 - 1 - 0.5)
    #expect(assignment.assign(table) == 0)
    #expect(assignment.groups(in: 1) == [3, 4])
  }

  @Test func theEStepNeverLowersTheObjective() {
    withEvery("seed", in: 0..<50) { seed in
      var state = UInt64(seed) &* 7919 &+ 1
      func next() -> Double {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return -Double(state >> 40) / 1e4
      }
      let table = (0..<7).map { _ in (0..<3).map { _ in next() } }
      var assignment = ClusterAssignment(groups: 7, clusters: 3)
      let before = assignment.objective(table)
      assignment.assign(table)
      #expect(assignment.objective(table) >= before)
      expectClose(assignment.objective(table), table.reduce(0) { $0 + ($1.max() ?? 0) })
    }
  }

  @Test func emptyClustersTakeTheGroupThatIsServedWorst() {
    let table: [[Double]] = [[-10, -20, -20], [-12, -20, -20], [-1, -9, -9]]
    var assignment = ClusterAssignment(groups: 3, clusters: 3)
    assignment.assign(table)
    #expect(assignment.clusters == [0, 0, 0] && assignment.emptyClusters == [1, 2])
    // Per pair: −10/2, −12/6, −1/1: the first is served worst, then the second.
    let made = assignment.refillEmptyClusters(table, pairs: [2, 6, 1])
    #expect(made.map(\.cluster) == [1, 2])
    #expect(made.map(\.donor) == [0, 0])
    #expect(made.map(\.group) == [0, 1])
    #expect(assignment.clusters == [1, 2, 0] && assignment.emptyClusters.isEmpty)
    #expect(assignment.refillEmptyClusters(table, pairs: [2, 6, 1]).isEmpty)
  }

  @Test func fewerGroupsThanClustersLeaveSomeEmpty() {
    var assignment = ClusterAssignment(groups: 1, clusters: 3)
    #expect(assignment.emptyClusters == [1, 2])
    #expect(assignment.refillEmptyClusters([[-1, -1, -1]], pairs: [4]).isEmpty)
    #expect(assignment.clusters == [0])
  }

  @Test func wrongTablesTrap() async {
    await #expect(processExitsWith: .failure) { _ = ClusterAssignment(groups: 0, clusters: 1) }
    await #expect(processExitsWith: .failure) {
      var assignment = ClusterAssignment(groups: 2, clusters: 2)
      assignment.assign([[0, 0]])
    }
    await #expect(processExitsWith: .failure) {
      var assignment = ClusterAssignment(groups: 1, clusters: 2)
      assignment.assign([[.nan, 0]])
    }
  }
}

@Suite struct CombinedJudgeTests {
  private let groups = [
    JudgeGroup(
      prompt: [], responses: ["a", "bb", "cccc"],
      tokens: PreferenceGroup(prompt: [], responses: [[1], [2], [3]]))
  ]
  private let long = FunctionJudge(name: "long") { _, text in Double(text.count) }
  private let short = FunctionJudge(name: "short") { _, text in 3 - Double(text.count) }

  @Test func meanAndMinimumOfScores() throws {
    let mean = try CombinedJudge([long, short, long], rule: .mean, name: "mean")
      .judge(groups: groups)[0]
    expectClose(mean.scores ?? [], [(1 + 2 + 1) / 3.0, (2 + 1 + 2) / 3.0, (4 - 1 + 4) / 3.0])
    let least = try CombinedJudge([long, short], rule: .minimum, name: "least")
      .judge(groups: groups)[0]
    #expect(least.scores == [1, 1, -1])
    #expect(least.source == "least")
    expectClose(least.preferenceLogits[0], [0, 0, 2])
  }

  @Test func aJudgeWithoutScoresIsNamed() {
    let table = FunctionJudge(name: "table") { _, first, second in
      Double(first.count - second.count)
    }
    let combined = CombinedJudge([long, table], rule: .minimum, name: "least")
    #expect(throws: PreferenceError.scoresNeeded(judge: "table", row: 0)) {
      try combined.judge(groups: groups)
    }
  }
}
