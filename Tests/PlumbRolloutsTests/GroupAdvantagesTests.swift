import PlumbRollouts
import PlumbTestSupport
import Testing

struct GroupAdvantagesTests {
  struct File: Decodable {
    let group_rewards: [[Float]]
    let grpo_advantages: [[Float]]
    let rloo_advantages: [[Float]]
  }

  @Test func goldenAdvantages() throws {
    let file = try Golden.json("ppo", as: File.self)
    AdvantagesTests.expectClose(groupRelativeAdvantages(file.group_rewards), file.grpo_advantages)
    AdvantagesTests.expectClose(leaveOneOutAdvantages(file.group_rewards), file.rloo_advantages)
  }

  @Test func byHand() {
    // Mean 2, unbiased deviation 2.
    let relative = groupRelativeAdvantages([[0, 2, 4]], epsilon: 0)
    #expect(relative == [[-1, 0, 1]])
    #expect(groupRelativeAdvantages([[0, 2, 4]], scaling: false) == [[-2, 0, 2]])
    // 0 − (2 + 4)/2, 2 − (0 + 4)/2, 4 − (0 + 2)/2.
    #expect(leaveOneOutAdvantages([[0, 2, 4], [1, 3]]) == [[-3, 0, 3], [-2, 2]])
  }

  /// Mean 3 over all; deviation 2 within both groups, √(22/5) over all.
  @Test func baselinesAndScalesByHand() {
    let groups: [[Float]] = [[0, 2, 4], [2, 4, 6]]
    func found(_ baseline: AdvantageBaseline, _ scale: AdvantageScale) -> [Float] {
      responseAdvantages(groups, baseline: baseline, scale: scale, epsilon: 0).flatMap { $0 }
    }
    #expect(found(.batch, .none) == [-3, -1, 1, -1, 1, 3])
    #expect(found(.batch, .group) == [-1.5, -0.5, 0.5, -0.5, 0.5, 1.5])
    let whole: Float = (22.0 / 5.0).squareRoot()
    PlumbTestSupport.expectClose(found(.group, .batch), [-2, 0, 2, -2, 0, 2].map { $0 / whole })
    #expect(found(.leaveOneOut, .group) == [-1.5, 0, 1.5, -1.5, 0, 1.5])
    #expect(
      responseAdvantages(groups, baseline: .group, scale: .group) == groupRelativeAdvantages(groups)
    )
    #expect(
      responseAdvantages(groups, baseline: .leaveOneOut, scale: .none)
        == leaveOneOutAdvantages(groups))
    #expect(rewardDeviation([0, 2, 4]) == 2 && rewardDeviation([0.1, 0.1]) == 0)
    #expect(rewardDeviation([7]) == 0 && rewardDeviation([]) == 0)
  }

  /// All rewards of a round equal: no advantage, and no NaN whatever divides it.
  @Test func equalRewardsGiveZeros() {
    for baseline in AdvantageBaseline.allCases {
      for scale in AdvantageScale.allCases {
        #expect(
          responseAdvantages([[0.1, 0.1], [0.1]], baseline: baseline, scale: scale)
            == [[0, 0], [0]])
      }
    }
  }

  @Test func groupsThatTeachNothing() {
    let groups: [[Float]] = [[0.1, 0.1, 0.1], [5]]
    #expect(groupRelativeAdvantages(groups) == [[0, 0, 0], [0]])
    #expect(leaveOneOutAdvantages(groups) == [[0, 0, 0], [0]])
    #expect(leaveOneOutAdvantages([]).isEmpty)
  }

  @Test func emptyGroupTraps() async {
    await #expect(processExitsWith: .failure) { _ = groupRelativeAdvantages([[]]) }
    await #expect(processExitsWith: .failure) { _ = leaveOneOutAdvantages([[]]) }
  }
}
