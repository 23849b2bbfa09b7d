"""The pages of the REST API's lists; every `@paginate` takes these (NINJA_PAGINATION_CLASS)."""

from ninja import Schema
from ninja.pagination import LimitOffsetPagination
from pydantic import Field

LARGEST_OFFSET = 2**31 - 1  # beyond what databases take, they fail instead of finding nothing


class Pages(LimitOffsetPagination):
    """`limit` entries from `offset` on, as `items`, and the `count` of all."""

    class Input(Schema):
        """What a request may ask for."""

        limit: int = Field(100, ge=1, le=1000)
        offset: int = Field(0, ge=0, le=LARGEST_OFFSET)
