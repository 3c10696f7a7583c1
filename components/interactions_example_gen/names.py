"""Common names of the columns of users, items, ratings, times and titles."""

import re
from collections.abc import Mapping, Sequence

# Names in the form of `key`: lower case, without spaces, hyphens and underscores. The
# first of these names that a file has is taken.
COMMON_NAMES: Mapping[str, tuple[str, ...]] = {
    "user": (
        *("userid", "user", "uid", "visitorid", "customerid", "customer"),
        *("reviewerid", "memberid", "accountid", "clientid", "username"),
    ),
    "item": (
        *("movieid", "itemid", "item", "iid", "movie", "productid", "product"),
        *("asin", "parentasin", "isbn", "bookid", "articleid", "stockcode", "sku"),
        *("artistid", "trackid", "songid", "businessid", "gameid", "animeid"),
        *("recipeid", "beerid", "newsid", "courseid"),
    ),
    "rating": ("rating", "ratings", "stars", "score", "overall", "bookrating"),
    "timestamp": (
        *("timestamp", "time", "ts", "datetime", "date", "unixreviewtime"),
        *("unixtime", "invoicedate", "orderdate", "purchasedate", "transactiondate"),
        *("eventtime", "eventdate", "createdat", "reviewdate", "ratingdate", "tdat"),
    ),
    "title": ("title", "movietitle", "itemname", "productname", "name", "description"),
}
KNOWN = frozenset(
    name
    for role in ("user", "item", "rating", "timestamp")
    for name in COMMON_NAMES[role]
)
_NOISE = re.compile(r"[\s_\-.]+")


def key(name: str) -> str:
    """Returns `name` in the form in which names are compared, without RecBole's type.

    Example:
        >>> [key(name) for name in (" Customer ID", "user_id:token", "StockCode")]
        ['customerid', 'userid', 'stockcode']
    """
    return _NOISE.sub("", name.split(":")[0].lower())


def find(role: str, names: Sequence[str]) -> int | None:
    """Returns the position of the column that is commonly used for `role`."""
    keys = [key(name) for name in names]
    return next((keys.index(n) for n in COMMON_NAMES[role] if n in keys), None)
