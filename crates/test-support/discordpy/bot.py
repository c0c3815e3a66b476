"""Small bot on discord.py, to test the loopback Discord with an independent client.

Reads DISCORD_URL, DISCORD_TOKEN and DISCORD_GUILD from its environment, and ends when its standard
input closes. Prints the library's warnings, and fails at the end if there were any.
"""

import asyncio
import logging
import os
import sys

import discord
import yarl
from discord import app_commands
from discord.gateway import DiscordWebSocket

GUILD = discord.Object(int(os.environ["DISCORD_GUILD"]))
PONDS = ["lake", "lagoon", "puddle"]


class Bot(discord.Client):
    def __init__(self):
        super().__init__(intents=discord.Intents.default())
        self.tree = app_commands.CommandTree(self)

    async def setup_hook(self):
        # The library's gateway URL is a constant; use the one of the API instead.
        _, url, _ = await self.http.get_bot_gateway()
        DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(url)
        self.tree.add_command(feed, guild=GUILD)
        await self.tree.sync(guild=GUILD)


@app_commands.command(description="Feeds the ducks")
@app_commands.describe(pond="Where they are")
async def feed(interaction: discord.Interaction, pond: str):
    await interaction.response.defer(ephemeral=True, thinking=True)
    await interaction.edit_original_response(content="Looking for ducks")
    await interaction.edit_original_response(content=f"Found ducks in the {pond}")
    notice = await interaction.channel.send(f"{interaction.user.mention} feeds the ducks")
    menu = Menu(notice)
    # Register the view first, so that a press right after the post is not missed.
    interaction.client.add_view(menu)
    await interaction.followup.send("What do they get?", view=menu, ephemeral=True)


@feed.autocomplete("pond")
async def ponds(_: discord.Interaction, typed: str):
    return [app_commands.Choice(name=f"The {pond}", value=pond) for pond in PONDS if pond.startswith(typed)]


class Menu(discord.ui.View):
    def __init__(self, notice):
        super().__init__(timeout=None)
        self.notice = notice

    @discord.ui.button(label="Choose", style=discord.ButtonStyle.primary, custom_id="choose")
    async def choose(self, interaction: discord.Interaction, _: discord.ui.Button):
        order = Order(self.notice)
        # Register the form first, too; discord.py has no public method for that.
        interaction.client._connection.store_view(order)
        await interaction.response.send_modal(order)


class Order(discord.ui.Modal, title="Your order"):
    food = discord.ui.TextInput(label="Food", min_length=3, max_length=20)

    def __init__(self, notice):
        super().__init__()
        self.notice = notice

    async def on_submit(self, interaction: discord.Interaction):
        await interaction.response.edit_message(content=f"They get {self.food.value}", view=None)
        await interaction.followup.send("Thank you", ephemeral=True)
        await self.notice.edit(content=f"{self.notice.content}: {self.food.value}")


class Complaints(logging.StreamHandler):
    count = 0

    def emit(self, record):
        super().emit(record)
        self.count += 1


async def main():
    discord.http.Route.BASE = os.environ["DISCORD_URL"] + "/api/v10"
    # Silence warnings about missing voice support.
    discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
    complaints = Complaints()
    discord.utils.setup_logging(handler=complaints, level=logging.WARNING)
    async with Bot() as bot:
        running = asyncio.create_task(bot.start(os.environ["DISCORD_TOKEN"]))
        told = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
        await asyncio.wait([running, told], return_when=asyncio.FIRST_COMPLETED)
        await bot.close()
        await running
    return complaints.count


os._exit(asyncio.run(main()))
