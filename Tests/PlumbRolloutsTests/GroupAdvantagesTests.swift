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
