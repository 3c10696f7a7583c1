"""The executor with users held out with all their items, on a real Transform."""

from tests.components.negative_sampling import executor_test

USERS = executor_test.USERS
transformed = executor_test.transformed  # The fixture.


def test_users_who_are_held_out_are_in_no_other_split(transformed, tmp_path):
    run = executor_test.Run(transformed, tmp_path, held_out_users=0.4)
    found = {name: set(run.by_user(name)) for name in ("train", "validation", "eval")}
    gone = set(USERS) - found["train"]
    assert 0 < len(gone) < len(USERS)
    assert run.artifact.get_int_custom_property("held_out_users") == len(gone)
    # ShrinkGuard compares how many users the data have, those held out included.
    assert run.artifact.get_int_custom_property("num_users") == len(USERS)
    assert not gone & (found["validation"] | found["eval"])
    baskets = {
        user: [*record["seen_ids"], *record["candidate_ids"]]
        for user, record in run.by_user("held_out_users").items()
    }
    assert baskets == {
        user: [item.encode() for item in USERS[user]]
        for user in gone
        if len(USERS[user]) > 1
    }
    trained = {user.decode() for user in run.interactions().user_ids}
    assert trained == found["train"]
